-- The lists that lead to rooms: of an instance (KEYS: hash room -> stamp, of direct rooms or of others, sorted set of its public rooms), and of a user (KEYS: hash room -> stamp).
-- They hold at least what there is; whether it is still so, the room itself says. A stamp is a time in milliseconds.
local op = ARGV[2]
local ops = {}

-- room, stamp, how many there may be, 'public' or '' -> 1, or 0 if there are as many already
function ops.reserve()
  local room, stamp, most, public = unpack(ARGV, 3, 6)
  if redis.call('HEXISTS', KEYS[1], room) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(most) then return 0 end
  redis.call('HSET', KEYS[1], room, stamp)
  if public == 'public' then redis.call('ZADD', KEYS[2], 0, room) end
  return 1
end

-- room, stamp: only if nobody has put it there again since
function ops.forget()
  local room, stamp = ARGV[3], ARGV[4]
  if redis.call('HGET', KEYS[1], room) ~= stamp then return 0 end
  redis.call('HDEL', KEYS[1], room)
  if KEYS[2] then redis.call('ZREM', KEYS[2], room) end
  return 1
end

-- The clock or '', seconds for a token, seconds for all -> after how many seconds there is a token. The key is when the bucket is full; see buckets.py.
function ops.take()
  local now, each, all = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
  if not now then
    local t = redis.call('TIME')
    now = tonumber(t[1]) + tonumber(t[2]) / 1000000
  end
  local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
  local wait = full + each - now - all
  if wait > 0.000002 then return string.format('%.6f', wait) end
  redis.call('SET', KEYS[1], string.format('%.6f', full + each), 'PX', math.ceil((full + each - now) * 1000))
  return '0'
end

return ops[op]()
