-- Charges every counter, or none. For each counter: name, window in seconds, limit (-1: none), cost.
-- The keys are made here because their last part is the window by this server's own clock: replicas of the limiter
-- whose clocks differ still count in one window.
local time = redis.call('TIME')
local now = tonumber(time[1])
local names, ends, admitted = {}, {}, 1
for i = 1, #ARGV / 4 do
  local window = tonumber(ARGV[4 * i - 2])
  local start = now - now % window
  names[i] = ARGV[4 * i - 3] .. ':' .. string.format('%d', start)
  ends[i] = start + window
end
local used = redis.call('MGET', unpack(names))
for i = 1, #names do
  used[i] = tonumber(used[i] or '0')
  local limit = tonumber(ARGV[4 * i - 1])
  if limit >= 0 and used[i] + tonumber(ARGV[4 * i]) > limit then
    admitted = 0
  end
end
if admitted == 1 then
  for i = 1, #names do
    local cost = tonumber(ARGV[4 * i])
    if cost > 0 then
      used[i] = redis.call('INCRBY', names[i], ARGV[4 * i])
      if used[i] == cost then
        -- Kept a little longer than its window: after a failover to a clock that is behind, it still counts.
        redis.call('EXPIREAT', names[i], ends[i] + 5)
      end
    end
  end
end
return { now, tonumber(time[2]), admitted, unpack(used) }
