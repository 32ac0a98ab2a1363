-- drained: how far a partition's usage records have come on their way to the ledger. Nothing is written.
--
-- KEYS  1 the partition's usage stream   2 the partition's epoch
--
-- reply {the epoch, or '', id of the latest entry there ever was, id of the first one that is there still, or ''}
--
-- Rule: an entry leaves the stream only once it is in the ledger, or a dead letter.

local epoch = redis.call('HGET', KEYS[2], 'at') or ''
if redis.call('EXISTS', KEYS[1]) == 0 then return {epoch, '0-0', ''} end
local told, latest = redis.call('XINFO', 'STREAM', KEYS[1]), '0-0'
for i = 1, #told, 2 do
  if told[i] == 'last-generated-id' then latest = told[i + 1] end
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {epoch, latest, first and first[1] or ''}
