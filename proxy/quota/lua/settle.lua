-- settle: the hold goes, what was used is counted, the usage record enters the stream; all three or none, once.
--
-- KEYS  1 the hold   2 the partition's holds   3 the partition's usage stream
--       then for each scope that the hold was counted in: its live counters, its counters of the hold's period
--       where its call adds to what the organization keeps upstream, or takes from it: what that keeps
-- ARGV  1 request id   2 'settle' | 'late' | 'sweep' | 'release'   3 seconds to remember that this was done
--       4 the usage record ('' for a release)   5 start of the period whose counters are given
--       6 number of measures; for each: name, amount used
--       then bytes that it added to what is kept upstream, 1 if something of it was deleted, else 0
--       then further usage records of the same work
--
-- reply 1 done   0 was done before (or, for a sweep, the hold was renewed; for a release, there is none)
--       2 done without a hold: Redis had lost it
--       -1 nothing done, for what is late alone: there is neither the hold nor the memory of one
--       more than 2: nothing done, the hold was booked in the period that starts then; ask with its counters
--
-- Rule: the minute's sum changes only while the bucket that the hold was counted in is still inside the minute.
-- A release gives back all of it, as if the request had never been; where there is nothing yet, an admission that
-- is still on its way finds itself too late. A sweep takes only what has expired. Late is a settlement that may have
-- been done before, so long ago that this is forgotten here. Counters that are not rebuilt from the ledger yet remember
-- what was settled into them (u:request). Without a hold no minute knows of it: it enters that of its admission, which
-- its record tells (minute.lua).

local mode = ARGV[2]
local measures, used, fields = {}, {}, {'bucket', 'start', 'paced'}
for m = 1, tonumber(ARGV[6]) do
  measures[m], used[m] = ARGV[5 + 2 * m], tonumber(ARGV[6 + 2 * m])
  fields[m + 3] = measures[m]
end
local count = #measures
fields[count + 4] = 'k'
local storage = #KEYS % 2 == 0 and KEYS[#KEYS]

-- The bucket of an admission that left no hold; nil where its record can't be read.
local function bucket_told()
  local readable, record = pcall(cjson.decode, ARGV[4])
  local at = readable and type(record) == 'table' and tonumber(record.occurred_at)
  return at and math.floor(at / 1000 / BUCKET)
end

local hold = redis.pcall('HMGET', KEYS[1], unpack(fields))
if hold.err then return 0 end
local bucket, paced = tonumber(hold[1]), hold[3] ~= '0'
local told = not bucket and mode ~= 'release' and bucket_told()
if not bucket and mode == 'release' then redis.call('SET', KEYS[1], mode, 'EX', ARGV[3]) end
if not bucket and mode ~= 'settle' then return mode == 'late' and -1 or 0 end
if bucket and hold[2] ~= ARGV[5] then return tonumber(hold[2]) end
if mode == 'sweep' then
  local time = redis.call('TIME')
  local expiry = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if expiry and tonumber(expiry) > time[1] * 1000 + math.floor(time[2] / 1000) then return 0 end
end

for s = 1, math.floor((#KEYS - 3) / 2) do
  local live, period = KEYS[2 + 2 * s], KEYS[3 + 2 * s]
  fields = {}
  for m = 1, count do
    fields[2 * m - 1], fields[2 * m] = measures[m], 'h' .. measures[m]
  end
  fields[2 * count + 1] = 's'
  local before, change = redis.call('HMGET', period, unpack(fields)), {}
  for m = 1, count do
    local held = bucket and tonumber(hold[m + 3]) or 0
    change[#change + 1] = measures[m]
    change[#change + 1] = integer((tonumber(before[2 * m - 1]) or 0) + used[m])
    change[#change + 1] = 'h' .. measures[m]
    change[#change + 1] = integer(math.max(0, (tonumber(before[2 * m]) or 0) - held))
  end
  if not before[2 * count + 1] and mode ~= 'release' then
    change[#change + 1] = 'u:' .. ARGV[1]
    change[#change + 1] = 1
  end
  redis.call('HSET', period, unpack(change))

  if bucket then
    fields = {'c', 'latest'}
    for m = 1, count do
      fields[#fields + 1] = measures[m]
      fields[#fields + 1] = measures[m] .. (bucket % SLOTS)
    end
    before = redis.call('HMGET', live, unpack(fields))
    change = {'c', math.max(0, (tonumber(before[1]) or 0) - (paced and 1 or 0))}
    local last = tonumber(before[2])
    if last and last - bucket < SLOTS then
      for m = 1, count do
        local difference = used[m] - tonumber(hold[m + 3])
        if difference ~= 0 and (paced or measures[m] == 'r') then
          for i = 0, 1 do
            change[#change + 1] = fields[1 + 2 * m + i]
            change[#change + 1] = integer(math.max(0, (tonumber(before[1 + 2 * m + i]) or 0) + difference))
          end
        end
      end
    end
    redis.call('HSET', live, unpack(change))
  elseif told then
    enter(live, told, measures, used)
  end
end

if storage then
  local before = redis.call('HMGET', storage, 'k', 'hk')
  redis.call('HSET', storage, 'k', integer((tonumber(before[1]) or 0) + tonumber(ARGV[7 + 2 * count])),
    'hk', integer(math.max(0, (tonumber(before[2]) or 0) - (tonumber(hold[count + 4]) or 0))))
  if ARGV[8 + 2 * count] == '1' then redis.call('HSET', storage, 'u', ARGV[1]) end
end

if mode ~= 'release' then redis.call('XADD', KEYS[3], '*', 'd', ARGV[4]) end
for i = 9 + 2 * count, #ARGV do redis.call('XADD', KEYS[3], '*', 'd', ARGV[i]) end
redis.call('SET', KEYS[1], mode, 'EX', ARGV[3])
redis.call('ZREM', KEYS[2], ARGV[1])
return bucket and 1 or 2
