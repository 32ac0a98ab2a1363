-- renew: a running request keeps its hold and says what it has delivered so far.
--
-- KEYS  1 the hold   2 the partition's holds
-- ARGV  1 request id   2 the hold's time to live in ms   3 output tokens delivered so far
--
-- reply 1 renewed   0 the hold is gone: it expired and was swept, so the request has been settled already
--       2 there never was one: Redis has lost it, and the request will be settled without

local hold = redis.call('TYPE', KEYS[1]).ok
if hold ~= 'hash' then return hold == 'none' and 2 or 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'delivered', ARGV[3])
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]), ARGV[1])
return 1
