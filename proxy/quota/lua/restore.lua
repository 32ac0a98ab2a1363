-- restore: a running request takes its hold again, which Redis has lost; it was admitted, so no limit is asked.
--
-- KEYS  1 the hold   2 the partition's holds
--       then for each scope: its live counters, its counters of the hold's period
-- ARGV  1 request id   2 the hold's time to live in ms   3 start of its period   4 its admission (ms)
--       5 1 if it takes a place among the concurrent, else 0   6 output tokens delivered   7 who and what, for the sweep
--       8 number of measures; for each: name, amount
--
-- reply 1 restored   0 there is one, or the memory that it was settled
--
-- Rule: it is counted in the minute of its admission as then: work that takes no place, with its request alone.

if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local time = redis.call('TIME')
local bucket = math.floor(tonumber(ARGV[4]) / BUCKET)
local measures, passed = {}, {}
local hold = {'start', ARGV[3], 'bucket', bucket, 'at', ARGV[4], 'paced', ARGV[5], 'delivered', ARGV[6], 'what', ARGV[7]}
for m = 1, tonumber(ARGV[8]) do
  local measure, amount = ARGV[7 + 2 * m], ARGV[8 + 2 * m]
  hold[#hold + 1] = measure
  hold[#hold + 1] = amount
  measures[m] = measure
  passed[m] = (ARGV[5] == '1' or measure == 'r') and amount or 0
  for s = 1, (#KEYS - 2) / 2 do redis.call('HINCRBY', KEYS[2 + 2 * s], 'h' .. measure, amount) end
end
for s = 1, (#KEYS - 2) / 2 do
  redis.call('HINCRBY', KEYS[1 + 2 * s], 'c', ARGV[5])
  enter(KEYS[1 + 2 * s], bucket, measures, passed)
end
redis.call('HSET', KEYS[1], unpack(hold))
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]), ARGV[1])
return 1
