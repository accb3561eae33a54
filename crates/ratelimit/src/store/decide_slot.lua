-- One counter of a cluster: KEYS[1] with the window's start that the caller believes in; window in seconds, limit (-1:
-- none), cost, that start, and whether only to look. Gives the time, what became of it, and what the counter holds:
-- 1 charged, 0 refused, 2 another window than the caller's (nothing done).
local time = redis.call('TIME')
local now, micros = tonumber(time[1]), tonumber(time[2])
local window, limit, cost, start = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if now - now % window ~= start then
  return { now, micros, 2, 0 }
end
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if limit >= 0 and used + cost > limit then
  return { now, micros, 0, used }
end
if cost > 0 and ARGV[5] == '0' then
  used = redis.call('INCRBY', KEYS[1], ARGV[3])
  if used == cost then
    redis.call('EXPIREAT', KEYS[1], start + window + 5)
  end
end
return { now, micros, 1, used }
