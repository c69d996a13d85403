-- What a user has not read in some rooms. Many are asked for at once, so it makes few calls, and functions once for all rooms.
-- a user, the name by which they are mentioned ('' none), how many are counted at most, from which number to which, how many numbers are looked at, how many mentions
-- are counted at most, users whose messages mention nobody -> of each room nothing, or: number and time of the newest event that counts or 0 and ''; and of a member: the fact that
-- makes the user one (value, number, since), their marker, how many, the first one's number or 0, are there more?, mentions, preferences
local user, named, cap, low, high = ARGV[own], ARGV[own + 1], tonumber(ARGV[own + 2]), tonumber(ARGV[own + 3]), tonumber(ARGV[own + 4])
local looked, most = tonumber(ARGV[own + 5]), tonumber(ARGV[own + 6])
local few = 10
local blocked = ARGV[own + 7] and {}
for k = own + 7, #ARGV do blocked[ARGV[k]] = true end
local call, max, min, sub, find, join = redis.call, math.max, math.min, string.sub, string.find, table.concat

local function pad(number) return string.format('%016d', number) end

-- Up to `limit` rows of c between two. The id of a sender stands behind `size` characters: not that of the user, nor one that is `silent`.
local function of_others(from, upto, size, limit, silent)
  local rows = call('ZRANGEBYLEX', C, from, upto, 'LIMIT', 0, limit)
  if not silent and not find(join(rows, ' '), user, 1, true) then return rows end -- most often: a look at each row takes ten times as long
  local found, mine, behind = {}, size + #user, size + 1
  while true do
    for k = 1, #rows do
      local row = rows[k]
      if (#row ~= mine or sub(row, behind) ~= user) and not (silent and silent[sub(row, behind)]) then
        found[#found + 1] = row
        if #found == limit then return found end
      end
    end
    if #rows < limit then return found end
    rows = call('ZRANGEBYLEX', C, '(' .. rows[limit], upto, 'LIMIT', 0, limit)
  end
end

-- The numbers of messages above one that mention a name, added to others: they are counted once.
local function naming(name, above, upto, others)
  local prefix = '@' .. #name .. ':' .. name
  local rows, first = of_others('[' .. prefix .. pad(above + 1), '(' .. prefix .. upto, #prefix + 16, most, blocked), #prefix + 1
  for k = 1, #rows do others[sub(rows[k], first, first + 15)] = true end
end

local function mentions(start, after, upto, member)
  local rows = call('ZRANGEBYLEX', C, '[#' .. after, '(#' .. upto, 'LIMIT', 0, few)
  if not rows[1] then return 0 end
  local seen, count = {}, 0
  if named ~= '' then naming(named, start, upto, seen) end
  if #rows == few or find(join(rows, ' '), ':@', 1, true) then -- fewer are all: most mention no group
    local since = max(start, member[3]) -- they mention those who belonged to them then
    naming('@room', since, upto, seen)
    naming('@' .. (cjson.decode(member[1]).role or 'member'), max(since, member[2]), upto, seen)
  end
  for _ in pairs(seen) do count = count + 1 end
  return min(count, most)
end

local function unread(room)
  local head = room.head
  local floor, silent = max(room.erased, head - room.max), room.silent or head
  local number, at = 0, ''
  local newest = call('ZREVRANGEBYLEX', C, '(d', '[c', 'LIMIT', 0, 1)[1]
  if newest then
    number = tonumber(sub(newest, 2, 17))
    if number > floor and number > head - looked then
      at = string.match(call('HGET', M, number), '"timestamp":([^,]+)')
    else
      number = 0
    end
  end
  local packed = call('HGET', O, user)
  local known = packed and cmsgpack.unpack(packed)
  local member = known and known.member
  if not member then return {number, at} end

  local read, prefs = known['my.read'], known['my.prefs']
  local marker = read and tonumber(read[1]) or max(member[3], silent)
  local start = max(marker, silent, floor, low - 1)
  local stop = min(high, start + looked)
  local rows, mentioned = {}, 0
  if start < min(stop, head) then
    local after, upto = pad(start + 1), pad(stop + 1)
    if number > start or start < head - looked then rows = of_others('[c' .. after, '(c' .. upto, 17, cap + 1) end
    mentioned = mentions(start, after, upto, member)
  end
  local first = rows[1] and tonumber(sub(rows[1], 2, 17)) or 0
  local more = min(high, head) > stop or #rows > cap
  return {number, at, member[1], member[2], member[3], marker, min(#rows, cap), first, more and 1 or 0, mentioned, prefs and prefs[1] or false}
end

local answer = {}
for first = 1, #KEYS, parts do
  turn_to(first)
  local room = load()
  if room and ARGV[6] ~= '' then expire(room) end
  answer[#answer + 1] = room and unread(room) or false
end
return answer
