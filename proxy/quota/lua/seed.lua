-- seed: counters of a period, and the minute, as the ledger knows them, written once.
--
-- KEYS  1 a scope's counters of one period   2 its live counters
-- ARGV  1 expiry (unix seconds)   2 number of requests that the ledger's sums leave out
--       3 number of measures; for each: name, amount in the ledger
--       then for each bucket of the minute that the ledger knows of: its number, for each measure the amount
--
-- reply 1 written   0 they were there   -1 nothing done: more was settled here than was left out of the sums
--
-- Rule: what was settled while the counters were missing (u:request) is added to the ledger's sums of all the others.
-- A minute is filled once (f): where Redis has lost it, with all that was admitted in it and is in the ledger already.

if redis.call('HEXISTS', KEYS[1], 's') == 1 then return 0 end
local settled = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 'u:' then settled[#settled + 1] = field end
end
if #settled ~= tonumber(ARGV[2]) then return -1 end
local measures, count = {}, tonumber(ARGV[3])
for m = 1, count do
  measures[m] = ARGV[2 + 2 * m]
  redis.call('HINCRBY', KEYS[1], measures[m], ARGV[3 + 2 * m])
end
for _, field in ipairs(settled) do redis.call('HDEL', KEYS[1], field) end
redis.call('HSET', KEYS[1], 's', 1)
redis.call('EXPIREAT', KEYS[1], ARGV[1])
if redis.call('HSETNX', KEYS[2], 'f', 1) == 1 then
  for at = 4 + 2 * count, #ARGV, 1 + count do
    enter(KEYS[2], tonumber(ARGV[at]), measures, {unpack(ARGV, at + 1, at + count)})
  end
end
return 1
