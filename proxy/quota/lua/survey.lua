-- survey: what is counted of what an organization keeps upstream, at one instant. Nothing is written.
--
-- KEYS  1 the partition's usage stream   2 what the organization keeps
--
-- reply {id of the latest entry that the stream ever had, bytes kept, bytes held, mark of a deletion, number of counts}

local latest = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local told = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #told, 2 do
    if told[i] == 'last-generated-id' then latest = told[i + 1] end
  end
end
return {latest, unpack(redis.call('HMGET', KEYS[2], 'k', 'hk', 'u', 'n'))}
