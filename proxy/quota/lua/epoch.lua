-- epoch: after Redis lost a partition's data nothing is admitted there until every proxy has brought back what it knows.
--
-- KEYS  1 the partition's epoch, which is lost with the data
-- ARGV  1 a proxy   2 the epoch for which it has taken its holds again and settled what Redis confirmed and lost, or ''
--       3 ms from the epoch's beginning after which nobody is waited for any more: as long as a hold lives unrenewed
--       then the proxies that may have calls under way
--
-- reply {the epoch, 1 if it is open, else 0}
--
-- Rule: an epoch begins closed, when it is first asked for. It opens once each of these proxies has said so for it, or
-- when its time is over: by then the holds of those that are missing would have expired, too. It never closes again.
-- What a missing proxy held is not seen from then on; if it was killed, nobody knows what it had delivered.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = redis.call('HGET', KEYS[1], 'at')
if not epoch then
  epoch = string.format('%.0f', now)
  redis.call('HSET', KEYS[1], 'at', epoch)
end
if redis.call('HEXISTS', KEYS[1], 'open') == 1 then return {epoch, 1} end
if ARGV[2] ~= epoch then return {epoch, 0} end
redis.call('HSET', KEYS[1], 'p:' .. ARGV[1], 1)
if now - tonumber(epoch) <= tonumber(ARGV[3]) then
  for i = 4, #ARGV do
    if redis.call('HEXISTS', KEYS[1], 'p:' .. ARGV[i]) == 0 then return {epoch, 0} end
  end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'at', epoch, 'open', now)
return {epoch, 1}
