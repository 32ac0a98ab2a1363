-- mend: what a scope's counters lack is added, what they have too much is taken away.
--
-- KEYS  1 a scope's live counters   2 its counters of one period
-- ARGV  1 requests that were counted there when the difference was seen
--       then for each counter: its name, what to add ('c' is of what runs now, all others of the period)
--
-- reply for each counter: its value before and after; nothing where these are not the counters that were seen
--
-- Rule: a difference is added, so what is settled or held meanwhile stays right. No counter falls below zero.

local seen = tonumber(redis.call('HGET', KEYS[2], 'r'))
if redis.call('HEXISTS', KEYS[2], 's') == 0 or not seen or seen < tonumber(ARGV[1]) then return {} end
local reply = {}
for i = 2, #ARGV, 2 do
  local name, key = ARGV[i], ARGV[i] == 'c' and KEYS[1] or KEYS[2]
  local before = tonumber(redis.call('HGET', key, name)) or 0
  local after = math.max(0, before + tonumber(ARGV[i + 1]))
  redis.call('HSET', key, name, string.format('%.0f', after))
  reply[#reply + 1] = string.format('%.0f', before)
  reply[#reply + 1] = string.format('%.0f', after)
end
return reply
