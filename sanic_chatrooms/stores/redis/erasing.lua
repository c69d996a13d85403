-- Erasing a user.

-- a user, how a room's JSON tells that they made it, and how it tells that nobody did, how their drafts' keys begin; then three arguments per event:
-- its number; '' to empty it, or '=' and its payload as it was; and as it shall be
if op == 'erase' then
  local room = load()
  if not room then return false end
  local user, made, unmade, mine = unpack(ARGV, own, own + 3)
  local rows = relations()
  local pad = rows.pad

  local h = redis.call('HMGET', H, 'i', 'c')
  local from, to = string.find(h[1], made, 1, true)
  if from then redis.call('HSET', H, 'i', string.sub(h[1], 1, from - 1) .. unmade .. string.sub(h[1], to + 1)) end
  if h[2] and string.sub(h[2], 1, #mine) == mine then redis.call('HSET', H, 'k', '', 'c', '') end

  -- Forget the key of an event; or without `wholly` only the hash: then '=' and the type are in its place.
  local function forget_key(number, event, wholly)
    local user = event.clientMsgId and (event.sender and event.sender.id or '~host') or ''
    local _, characters = string.gsub(user, '[^\128-\191]', '')
    local key = characters .. ':' .. user .. (event.clientMsgId or event.msgId)
    for _, keys in ipairs({K0, K1}) do
      local known = string.match(redis.call('HGET', keys, key) or '', '^%S+ %S+ %S+ ')
      if known and tonumber(string.match(known, '^%d+')) == number then
        if wholly then redis.call('HDEL', keys, key) else redis.call('HSET', keys, key, known .. '=' .. event.type) end
      end
    end
  end

  -- The first line of an event, and the lines behind it.
  local function lines_of(text)
    local line = string.find(text, '\n', 1, true)
    return string.sub(text, 1, line), string.sub(text, line + 1)
  end

  local function empty_edits(id)
    for edit in string.gmatch(redis.call('HGET', X, id) or '', '%d+') do
      local text = redis.call('HGET', M, edit)
      if text then
        local line = lines_of(text)
        forget_key(tonumber(edit), cjson.decode(line .. '}'), false)
        redis.call('HSET', M, edit, line .. ',"deleted":true,"payload":{}}')
      end
    end
    redis.call('HDEL', X, id)
  end

  local function empty(number, text)
    local line, rest = lines_of(text)
    local event = cjson.decode(line .. '}')
    forget_key(number, event, true)
    empty_edits(event.msgId)
    local start = string.find(line, ',"sender":', 1, true) or string.find(line, ',"clientMsgId":', 1, true) or #line
    local changed = string.match(rest, '^,[^{]-"changed":(%d+),"payload":')
    redis.call('HSET', M, number, string.sub(line, 1, start - 1) .. '\n,"deleted":true' .. (changed and ',"changed":' .. changed or '') .. ',"payload":{}}')
    rows.turn_off_all(number, number)
    redis.call('ZREM', C, 'c' .. pad(number) .. (event.sender and event.sender.id or ''))
    unmention(redis.call('ZRANGEBYLEX', C, '[#' .. pad(number), '(#' .. pad(number) .. '\255'))
    local parent = redis.call('HGET', R, 'p' .. number)
    local pair = parent and pad(parent) .. pad(number)
    if pair and redis.call('ZREM', Z, 'p' .. pair) == 1 then redis.call('ZADD', Z, 0, 'd' .. pair) end
  end

  local function say_otherwise(number, text, was, payload)
    local _, start = string.find(text, '"payload":', string.find(text, '\n', 1, true), true)
    if string.sub(text, start + 1, -2) == was then redis.call('HSET', M, number, string.sub(text, 1, start) .. payload .. '}') end
  end

  local function forget_at(number)
    local target = pad(number)
    for _, row in ipairs(redis.call('ZRANGEBYLEX', Z, '[t' .. target, '(t' .. target .. '\255')) do
      local _, key, seq, owner = rows.parts_of(row)
      local field = 'h' .. target .. key .. owner
      local start, by = string.match(redis.call('HGET', R, field), '^(%S+ %S+ )(.*)$')
      if owner == user then
        rows.turn_off(target, key, seq, owner)
      elseif by ~= 'null' and cjson.decode(by).id == user then
        redis.call('HSET', R, field, start .. 'null')
      end
    end
    if string.sub(user, 1, 1) ~= '@' then -- those are groups
      local row = '#' .. target .. #user .. ':' .. user
      if redis.call('ZSCORE', C, row) then unmention({row}) end
    end
  end

  for a = own + 4, #ARGV, 3 do
    local number = tonumber(ARGV[a])
    local text = number > floor_of(room) and redis.call('HGET', M, number)
    if text then
      if ARGV[a + 1] == '' then empty(number, text) else say_otherwise(number, text, string.sub(ARGV[a + 1], 2), ARGV[a + 2]) end
      forget_at(number)
    end
  end
  return 1
end

-- '=' and kind, a line feed and key of the fact behind which to begin or '', how many -> of each: kind, key, value, seq, since; one more than asked for if there are more
if op == 'all facts' then
  if redis.call('EXISTS', H) == 0 then return false end
  local known, page = facts(), {}
  local start = ARGV[own] == '' and '-' or '(' .. string.sub(ARGV[own], 2)
  for _, row in ipairs(redis.call('ZRANGEBYLEX', U, start, '+', 'LIMIT', 0, ARGV[own + 1] + 1)) do
    local kind, key = string.match(row, '^([^\n]*)\n(.*)$')
    page[#page + 1] = kind
    page[#page + 1] = key
    for _, part in ipairs(known.about(key)[kind]) do page[#page + 1] = part end
  end
  return page
end
