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

-- the last number that goes -> up to which number all is gone
if op == 'trim' then
  local room = load()
  if not room then return false end
  local last = math.min(tonumber(ARGV[own]), room.head)
  if last > room.erased then erase(room, last) end
  return room.erased
end

-- 'look' or 'make', its own key and hash, that key ('' none), the room as JSON, visibility, '1' if its first join makes it, its first facts, packed ('' none)
-- -> 2 there is none, 1 made, 0 there already, -1 there already by another key; epoch, head, the room as JSON, restricted, what the fact "room" says
if op == 'create' then
  local made_by, maker, json, visibility, auto, packed = unpack(ARGV, own + 1, own + 6)
  local h = redis.call('HMGET', H, 'e', 'n', 'i', 'k', 'z', 'q')
  if h[1] then
    if made_by ~= '' and made_by ~= h[4] then return {-1} end
    return {0, h[1], tonumber(h[2]), h[3], h[5], h[6]}
  end
  if ARGV[own] == 'look' then return {2} end
  redis.call('HSET', H, 'e', ARGV[8], 'n', 0, 'f', 0, 'r', run, 'w', 0, 'g', '0', 'y', 0,
    'v', visibility, 'a', auto, 'i', json, 'k', made_by, 'c', maker)
  if is_users then redis.call('PEXPIRE', H, WEEK) end
  if packed ~= '' then
    local known = facts()
    for _, fact in ipairs(cmsgpack.unpack(packed)) do known.set(fact, 0, 0) end
  end
  return {1, ARGV[8], 0, json, false, redis.call('HGET', H, 'q')}
end

-- an epoch, what the fact "room" says ('' nothing), what it shall say, visibility
-- -> 1 done, 0 it says something else; epoch (a new one where the visibility is another), head, the room as JSON, restricted, what the fact says, if it has that epoch
if op == 'update' then
  local h = redis.call('HMGET', H, 'e', 'n', 'i', 'z', 'v', 'q')
  if h[1] ~= ARGV[own] then return false end
  if (h[6] or '') ~= ARGV[own + 1] then return {0} end
  local head, epoch = tonumber(h[2]), h[5] == ARGV[own + 3] and h[1] or ARGV[8]
  -- The number 0 stands for the next one. What users wrote comes behind it.
  local start, rest = string.match(ARGV[own + 2], '^({"visibility":"%a+","history":%b[])(.*)$')
  local value = string.gsub(start, '%[0,', '[' .. string.format('%d', head + 1) .. ',') .. rest
  facts().set({'room', '', value, 'set'}, 0, head)
  redis.call('HSET', H, 'e', epoch)
  return {1, epoch, head, h[3], h[4], redis.call('HGET', H, 'q')}
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

-- a kind and a key -> epoch, head, the room as JSON, restricted, what the fact "room" says; value, seq, since, if such a fact holds and the room is no reserved one
if op == 'mine' then
  local h = redis.call('HMGET', H, 'e', 'n', 'i', 'z', 'q', 'v')
  local fact = h[1] and h[6] ~= 'reserved' and facts().about(ARGV[own + 1])[ARGV[own]]
  return fact and {h[1], tonumber(h[2]), h[3], h[4], h[5], unpack(fact)} or false
end

-- -> nothing: the room has the present layout
if op == 'upgrade' then facts() end
