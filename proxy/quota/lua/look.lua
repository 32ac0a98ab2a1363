-- look: what is counted and held of one organization at one instant. Nothing is written.
--
-- KEYS  1 the partition's usage stream   2 the partition's holds
--       then for each scope: its live counters, its counters of the period
-- ARGV  1 what the name of a hold begins with   2 text that stands in the draft of each of the organization's holds
--       3 number of measures; their names
--
-- reply {id up to which entries of the stream were there already,
--        for each scope {running, seeded, then for each measure: used, held},
--        for each hold {draft, start of its period, paced, then for each measure: held}}
--
-- Rule: a settlement counts and appends its record at one instant, so the counters are those of exactly the records
-- up to that entry. Whoever reads them, in the stream first and in the ledger after that, may take all the time.

local count = tonumber(ARGV[3])
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

local scopes, fields = {}, {'s'}
for m = 1, count do
  fields[#fields + 1] = ARGV[3 + m]
  fields[#fields + 1] = 'h' .. ARGV[3 + m]
end
for s = 1, (#KEYS - 2) / 2 do
  local running = redis.call('HGET', KEYS[1 + 2 * s], 'c')
  scopes[s] = {running, unpack(redis.call('HMGET', KEYS[2 + 2 * s], unpack(fields)))}
end

local holds = {}
fields = {'what', 'start', 'paced'}
for m = 1, count do fields[#fields + 1] = ARGV[3 + m] end
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local hold = redis.pcall('HMGET', ARGV[1] .. id, unpack(fields))
  if not hold.err and hold[1] and string.find(hold[1], ARGV[2], 1, true) then holds[#holds + 1] = hold end
end
return {latest, scopes, holds}
