-- Decisions, one after the other: each charges all of its counters, or none. ARGV[1] says how many counters a decision
-- has; then come, for each counter, name, window in seconds, limit (-1: none), cost. Gives the time, and for each decision
-- whether it was admitted and what its counters hold after it. What several charge is read and written once.
-- The keys are made here because their last part is the window by this server's own clock: replicas of the limiter
-- whose clocks differ still count in one window.
local time = redis.call('TIME')
local now, each = tonumber(time[1]), tonumber(ARGV[1])
local keys, ends, place, at = {}, {}, {}, {}
for i = 1, (#ARGV - 1) / 4 do
  local window = tonumber(ARGV[4 * i - 1])
  local start = now - now % window
  local key = ARGV[4 * i - 2] .. ':' .. string.format('%d', start)
  if not place[key] then
    keys[#keys + 1] = key
    ends[#keys] = start + window
    place[key] = #keys
  end
  at[i] = place[key]
end
local used, charged = redis.call('MGET', unpack(keys)), {}
for k = 1, #keys do
  used[k], charged[k] = tonumber(used[k] or '0'), 0
end
local answer = { now, tonumber(time[2]) }
for first = 1, #at, each do
  local admitted = 1
  for i = first, first + each - 1 do
    local limit = tonumber(ARGV[4 * i])
    if limit >= 0 and used[at[i]] + tonumber(ARGV[4 * i + 1]) > limit then
      admitted = 0
    end
  end
  answer[#answer + 1] = admitted
  for i = first, first + each - 1 do
    local k = at[i]
    if admitted == 1 then
      local cost = tonumber(ARGV[4 * i + 1])
      used[k], charged[k] = used[k] + cost, charged[k] + cost
    end
    answer[#answer + 1] = used[k]
  end
end
for k = 1, #keys do
  if charged[k] > 0 then
    local count = redis.pcall('INCRBY', keys[k], string.format('%d', charged[k]))
    if type(count) == 'table' then
      -- Redis will not charge this one (it is no number, or there is no memory): then nothing of this run is charged.
      for done = 1, k - 1 do
        if charged[done] > 0 then
          redis.call('DECRBY', keys[done], string.format('%d', charged[done]))
        end
      end
      return count
    end
    if count == charged[k] then
      -- Kept a little longer than its window: after a failover to a clock that is behind, it still counts.
      redis.call('EXPIREAT', keys[k], ends[k] + 5)
    end
  end
end
return answer
