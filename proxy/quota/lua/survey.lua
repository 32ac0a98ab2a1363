-- survey: what is counted of what an organization keeps upstream, at one instant. Nothing is written.
--
-- KEYS  1 the partition's usage stream   2 what the organization keeps
--
-- reply {id up to which entries of the stream were there already, bytes kept, bytes held, mark of a deletion, number of counts}

-- Whatever Redis may have lost: what was settled by now has an id of an earlier ms, or is the latest there is.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local latest = string.format('%.0f-999999', now - 1)
if redis.call('EXISTS', KEYS[1]) == 1 then
  local told = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #told, 2 do
    if told[i] == 'last-generated-id' and tonumber(string.match(told[i + 1], '%d+')) >= now then latest = told[i + 1] end
  end
end
return {latest, unpack(redis.call('HMGET', KEYS[2], 'k', 'hk', 'u', 'n'))}
