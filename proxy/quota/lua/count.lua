-- count: what an organization keeps upstream is as many bytes as were found.
--
-- KEYS  1 what the organization keeps
-- ARGV  1 number of counts when it was looked at   2 bytes kept then   3 bytes found   4 mark of a deletion then
--
-- reply 1 counted   0 somebody else has counted meanwhile
--
-- Rule: the difference is added, so what is settled meanwhile stays right; what is deleted meanwhile is found by the
-- next count.

if (redis.call('HGET', KEYS[1], 'n') or '0') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local kept = (tonumber(redis.call('HGET', KEYS[1], 'k')) or 0) + tonumber(ARGV[3]) - tonumber(ARGV[2])
if (redis.call('HGET', KEYS[1], 'u') or '') == ARGV[4] then redis.call('HDEL', KEYS[1], 'u') end
redis.call('HSET', KEYS[1], 's', 1, 'k', string.format('%.0f', math.max(0, kept)), 'at',
  time[1] * 1000 + math.floor(time[2] / 1000), 'n', ARGV[1] + 1)
return 1
