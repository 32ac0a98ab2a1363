-- keep: a request ends but the work it began goes on: its hold stays, and the ledger is told of the work.
--
-- KEYS  1 the hold   2 the partition's holds   3 the partition's usage stream   4 the work
-- ARGV  1 request id   2 the hold's time to live in ms   3 output tokens that the work may come to
--       4 the record that the hold comes to without them   5 the work
--       6 1 where it is known that this was not done before, else 0
--
-- reply 1 done   0 the hold was swept or settled, so nothing is left to wait for
--       -1 nothing done, unless it was not before: there is neither the hold nor the memory of one
--
-- Rule: told twice, the ledger keeps one. Work whose hold Redis has lost is told too; it will be settled without.

local hold = redis.call('TYPE', KEYS[1]).ok
if hold == 'none' and ARGV[6] ~= '1' then return -1 end
if hold ~= 'hash' and hold ~= 'none' then return 0 end
local time = redis.call('TIME')
local life = tonumber(ARGV[2])
if hold == 'hash' then
  redis.call('HSET', KEYS[1], 'delivered', ARGV[3], 'what', ARGV[4])
  redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000) + life, ARGV[1])
end
redis.call('XADD', KEYS[3], '*', 'd', ARGV[5])
redis.call('SET', KEYS[4], ARGV[5], 'PX', life)
return 1
