-- seed: counters of a period as the ledger knows them, written once.
--
-- KEYS  1 a scope's counters of one period
-- ARGV  1 expiry (unix seconds)   2 number of requests that the ledger's sums leave out
--       3 number of measures; for each: name, amount in the ledger
--
-- reply 1 written   0 they were there   -1 nothing done: more was settled here than was left out of the sums
--
-- Rule: what was settled while the counters were missing (u:request) is added to the ledger's sums of all the others.

if redis.call('HEXISTS', KEYS[1], 's') == 1 then return 0 end
local settled = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 'u:' then settled[#settled + 1] = field end
end
if #settled ~= tonumber(ARGV[2]) then return -1 end
for m = 1, tonumber(ARGV[3]) do
  redis.call('HINCRBY', KEYS[1], ARGV[2 + 2 * m], ARGV[3 + 2 * m])
end
for _, field in ipairs(settled) do redis.call('HDEL', KEYS[1], field) end
redis.call('HSET', KEYS[1], 's', 1)
redis.call('EXPIREAT', KEYS[1], ARGV[1])
return 1
