-- minute: what stands before each script that counts in a scope's minute.
--
-- Rule: a minute is 31 buckets of 2 s of which the oldest counts in full, so that no 60 s ever hold more than the
-- limit. Of a scope's live counters `latest` is the last bucket, `x` the sum of a measure, `x0` to `x30` its buckets.

local BUCKET, SLOTS = 2000, 31
-- A value as long makes Redis keep these counters as a table. As the list that it keeps small hashes in, each of the
-- 120 fields is looked for from its beginning: a third of what an admission costs there.
local WIDE = string.rep('0', 65)

local function integer(n) return string.format('%.0f', n) end

-- Brings a scope's minute forward to this bucket: what lay a minute back leaves the sums.
local function roll(live, bucket, measures)
  local last = tonumber(redis.call('HGET', live, 'latest'))
  if last and bucket <= last then return end
  local first = last and math.max(last + 1, bucket - SLOTS + 1) or bucket - SLOTS + 1
  local fields = {}
  for b = first, bucket do
    for m = 1, #measures do fields[#fields + 1] = measures[m] .. (b % SLOTS) end
  end
  local values = redis.call('HMGET', live, unpack(fields))
  local gone, change = {}, {'latest', bucket}
  if not last then change[3], change[4] = 'wide', WIDE end
  for i, value in ipairs(values) do
    if value then
      local m = (i - 1) % #measures + 1
      gone[m] = (gone[m] or 0) + value
    end
  end
  redis.call('HDEL', live, unpack(fields))
  for m, amount in pairs(gone) do
    local left = (tonumber(redis.call('HGET', live, measures[m])) or 0) - amount
    change[#change + 1] = measures[m]
    change[#change + 1] = integer(math.max(0, left))
  end
  redis.call('HSET', live, unpack(change))
end

-- What was admitted in an earlier bucket, and is not counted there, is counted there if that is in the minute still.
local function enter(live, bucket, measures, amounts)
  local time = redis.call('TIME')
  roll(live, math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / BUCKET), measures)
  local last = tonumber(redis.call('HGET', live, 'latest'))
  if last - bucket >= SLOTS then return end
  local slot = math.min(bucket, last) % SLOTS
  for m = 1, #measures do
    redis.call('HINCRBY', live, measures[m], amounts[m])
    redis.call('HINCRBY', live, measures[m] .. slot, amounts[m])
  end
end
