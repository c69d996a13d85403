-- Rooms themselves, and the facts in them.

-- the epoch to be replaced -> epoch, head
if op == 'renew' then
  local room = load()
  if not room then return false end
  if room.epoch == ARGV[own] then
    room.epoch = ARGV[8]
    redis.call('HSET', H, 'e', room.epoch)
  end
  return {room.epoch, room.head}
end

-- 'look' or 'make', its own key and hash, that key ('' none), the room as JSON, visibility, '1' if its first join makes it, its first facts, packed ('' none)
-- -> 2 there is none, 1 made, 0 there already, -1 there already by another key; epoch, head, the room as JSON, restricted
if op == 'create' then
  local made_by, maker, json, visibility, auto, packed = unpack(ARGV, own + 1, own + 6)
  local h = redis.call('HMGET', H, 'e', 'n', 'i', 'k', 'z')
  if h[1] then
    if made_by ~= '' and made_by ~= h[4] then return {-1} end
    return {0, h[1], tonumber(h[2]), h[3], h[5]}
  end
  if ARGV[own] == 'look' then return {2} end
  redis.call('HSET', H, 'e', ARGV[8], 'n', 0, 'f', 0, 'r', run, 'w', 0, 'g', '0',
    'v', visibility, 'a', auto, 'i', json, 'k', made_by, 'c', maker)
  if is_users then redis.call('PEXPIRE', H, WEEK) end
  if packed ~= '' then
    local known = facts()
    for _, fact in ipairs(cmsgpack.unpack(packed)) do known.set(fact, 0, 0) end
  end
  return {1, ARGV[8], 0, json, false}
end

-- an epoch, the room as JSON, visibility -> epoch (a new one where the visibility is another), head, the room as JSON, restricted, if it has that epoch
if op == 'update' then
  local h = redis.call('HMGET', H, 'e', 'n', 'z', 'v')
  if h[1] ~= ARGV[own] then return false end
  local epoch = h[4] == ARGV[own + 2] and h[1] or ARGV[8]
  redis.call('HSET', H, 'e', epoch, 'i', ARGV[own + 1], 'v', ARGV[own + 2])
  return {epoch, tonumber(h[2]), ARGV[own + 1], h[3]}
end

-- 'unused' or '' -> 1 if it was there (and unused)
if op == 'delete' then
  local h = redis.call('HMGET', H, 'n', 'a')
  if not h[1] then return 0 end
  if ARGV[own] == 'unused' and (h[1] ~= '0' or h[2] ~= '1') then return 0 end
  redis.call('UNLINK', unpack(KEYS))
  return 1
end

-- a fact, packed -> 1 if that changed something
if op == 'set' then
  local head = redis.call('HGET', H, 'n')
  if not head then return false end
  return facts().set(cmsgpack.unpack(ARGV[own]), 0, tonumber(head)) and 1 or 0
end

-- a kind, '=' and a key behind which to begin or '', how many -> total, and of each: key, value, seq, since; one more than asked for if there are more
if op == 'facts' then
  if redis.call('EXISTS', H) == 0 then return false end
  local known, prefix, last = facts(), ARGV[own] .. '\n', ARGV[own] .. '\11' -- the byte after \n
  local start = ARGV[own + 1] == '' and '[' .. prefix or '(' .. prefix .. string.sub(ARGV[own + 1], 2)
  local page = {redis.call('ZLEXCOUNT', U, '[' .. prefix, '(' .. last)}
  for _, row in ipairs(redis.call('ZRANGEBYLEX', U, start, '(' .. last, 'LIMIT', 0, ARGV[own + 2] + 1)) do
    local key = string.sub(row, #prefix + 1)
    page[#page + 1] = key
    for _, part in ipairs(known.about(key)[ARGV[own]]) do page[#page + 1] = part end
  end
  return page
end

-- a kind and a key -> epoch, head, the room as JSON, restricted; value, seq, since, if such a fact holds and the room is no reserved one
if op == 'mine' then
  local h = redis.call('HMGET', H, 'e', 'n', 'i', 'z', 'v')
  local fact = h[1] and h[5] ~= 'reserved' and facts().about(ARGV[own + 1])[ARGV[own]]
  return fact and {h[1], tonumber(h[2]), h[3], h[4], unpack(fact)} or false
end

-- -> nothing: the room has the present layout
if op == 'upgrade' then facts() end
