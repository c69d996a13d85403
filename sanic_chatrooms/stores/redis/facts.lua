-- What o, u and e hold. A fact is {kind, key, value or false, 'set' or 'max', when it ends or false, the value that it has to replace or false}.
local function facts()
  local self = {}

  -- Brings a room of the first layout to the present one.
  function self.upgrade()
    if redis.call('TYPE', U).ok ~= 'hash' then return end
    local members = redis.call('HGETALL', U)
    redis.call('UNLINK', U, O)
    for k = 1, #members, 2 do
      local value = string.gsub(string.gsub(members[k + 1], '^.-,"name":', '{"name":', 1), '"joined_at":', '"joinedAt":', 1)
      redis.call('HSET', O, members[k], cmsgpack.pack({member = {value, 0, 0}}))
      redis.call('ZADD', U, 0, 'member\n' .. members[k])
    end
  end

  -- Of one key: kind -> {value, seq, since}
  function self.about(key)
    local packed = redis.call('HGET', O, key)
    return packed and cmsgpack.unpack(packed) or {}
  end

  function self.changes(known, fact)
    if not known or not fact[3] then return (not known) ~= (not fact[3]) end
    if fact[4] == 'max' then return tonumber(fact[3]) > tonumber(known[1]) end
    return fact[3] ~= known[1]
  end

  -- Does it replace another value than the present one?
  function self.contradicts(known, fact) return fact[6] and fact[6] ~= (known and known[1] or '') end

  local function forget(kind, key, there)
    there[kind] = nil
    redis.call('ZREM', U, kind .. '\n' .. key)
    redis.call('ZREM', E, kind .. '\n' .. key)
    if next(there) then redis.call('HSET', O, key, cmsgpack.pack(there)) else redis.call('HDEL', O, key) end
  end

  -- Forgets some facts that have ended.
  local function sweep()
    for _, row in ipairs(redis.call('ZRANGEBYSCORE', E, '-inf', string.format('(%.6f', present()), 'LIMIT', 0, 10)) do
      local kind, key = string.match(row, '^([^\n]*)\n(.*)$')
      forget(kind, key, self.about(key))
    end
  end

  -- By the event with this number, or with 0 without one; true if that changes anything.
  function self.set(fact, seq, head)
    local kind, key, value, _, ends = unpack(fact, 1, 5)
    local there = self.about(key)
    local known = there[kind]
    if self.contradicts(known, fact) or not self.changes(known, fact) then return false end
    if not value then
      if kind == 'member' then
        for own in pairs(there) do
          if string.sub(own, 1, 3) == 'my.' then forget(own, key, there) end
        end
      end
      forget(kind, key, there)
      return true
    end
    if string.sub(kind, 1, 3) == 'my.' and not there.member then return false end
    there[kind] = {value, seq, known and known[3] or head}
    if not known then redis.call('ZADD', U, 0, kind .. '\n' .. key) end
    redis.call('HSET', O, key, cmsgpack.pack(there))
    if ends then
      redis.call('ZADD', E, ends, kind .. '\n' .. key)
      sweep()
    elseif known then
      redis.call('ZREM', E, kind .. '\n' .. key)
    end
    if kind == 'room' and key == '' then
      redis.call('HSET', H, 'q', seq .. ' ' .. value, 'v', string.match(value, '^{"visibility":"(%a+)"'))
    end
    return true
  end

  self.upgrade()
  return self
end

