-- seed: counters of a period as the ledger knows them, written once.
--
-- KEYS  1 a scope's counters of one period
-- ARGV  1 expiry (unix seconds)   2 number of measures; for each: name, amount in the ledger
--
-- reply 1 written   0 they were there
--
-- Rule: what was settled while the counters were missing is added to the ledger's sums. If the ledger knew it
-- already it is counted twice, which refuses too early rather than too late; reconciliation mends it.

if redis.call('HEXISTS', KEYS[1], 's') == 1 then return 0 end
for m = 1, tonumber(ARGV[2]) do
  redis.call('HINCRBY', KEYS[1], ARGV[1 + 2 * m], ARGV[2 + 2 * m])
end
redis.call('HSET', KEYS[1], 's', 1)
redis.call('EXPIREAT', KEYS[1], ARGV[1])
return 1
