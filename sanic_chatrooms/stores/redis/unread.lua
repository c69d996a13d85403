-- What a user has not read in some rooms. Many are asked for at once, so it makes few calls, and functions once for all rooms.
-- a user, the name by which they are mentioned ('' none), how many are counted at most, from which number to which, how many numbers are looked at, how many mentions
-- are counted at most, users whose messages mention nobody -> of each room nothing, or: number and time of the newest event that counts or 0 and ''; and of a member: the fact that
-- makes the user one (value, number, since), their marker, how many, the first one's number or 0, are there more?, mentions, preferences
local user, named, cap, low, high = ARGV[own], ARGV[own + 1], tonumber(ARGV[own + 2]), tonumber(ARGV[own + 3]), tonumber(ARGV[own + 4])
local looked, most = tonumber(ARGV[own + 5]), tonumber(ARGV[own + 6])
local few = 10
local blocked = ARGV[own + 7] and {}
for k = own + 7, #ARGV do blocked[ARGV[k]] = true end
local call, max, min, sub, find, match, join = redis.call, math.max, math.min, string.sub, string.find, string.match, table.concat

local function pad(number) return string.format('%016d', number) end

-- Up to `limit` rows of c between two. The id of a sender stands behind `size` characters: not that of the user, nor one that is `silent`. And the last row between them, where it is known.
local function of_others(from, upto, size, limit, silent)
  local rows = call('ZRANGEBYLEX', C, from, upto, 'LIMIT', 0, limit)
  local last = #rows < limit and rows[#rows]
  if not silent and not find(join(rows, ' '), user, 1, true) then return rows, last end -- most often: a look at each row takes ten times as long
  local found, mine, behind = {}, size + #user, size + 1
  while true do
    for k = 1, #rows do
      local row = rows[k]
      if (#row ~= mine or sub(row, behind) ~= user) and not (silent and silent[sub(row, behind)]) then
        found[#found + 1] = row
        if #found == limit then return found end
      end
    end
    if #rows < limit then return found, last end
    rows = call('ZRANGEBYLEX', C, '(' .. rows[limit], upto, 'LIMIT', 0, limit)
  end
end

-- The numbers of messages above one that mention a name, added to others: they are counted once.
local function naming(name, above, upto, others)
  local prefix = '@' .. #name .. ':' .. name
  local rows, first = of_others('[' .. prefix .. pad(above + 1), '(' .. prefix .. upto, #prefix + 16, most, blocked), #prefix + 1
  for k = 1, #rows do others[sub(rows[k], first, first + 15)] = true end
end

-- Is a number among those of ascending rows?
local function is_among(rows, number)
  local low, high = 1, #rows
  while low <= high do
    local middle = math.floor((low + high) / 2)
    local other = sub(rows[middle], 2, 17)
    if other == number then return true end
    if other < number then low = middle + 1 else high = middle - 1 end
  end
  return false
end

-- How many of few mentions, none of them of a group, are of the user; nil if one may be of themselves: what others have sent, and counts, is in `unread`.
local function of_user(mentioned, unread)
  local count, name = 0, #named .. ':' .. named
  for k = 1, #mentioned do
    if sub(mentioned[k], 18) == name then
      if blocked or not is_among(unread, sub(mentioned[k], 2, 17)) then return nil end
      count = count + 1
    end
  end
  return count
end

local function mentions(start, after, upto, member, unread)
  local rows = call('ZRANGEBYLEX', C, '[#' .. after, '(#' .. upto, 'LIMIT', 0, few)
  if not rows[1] then return 0 end
  local some = #rows == few or find(join(rows, ' '), ':@', 1, true) -- fewer are all: most mention no group
  local count = not some and of_user(rows, unread)
  if count then return count end
  local seen = {}
  count = 0
  if named ~= '' then naming(named, start, upto, seen) end
  if some then
    local since = max(start, member[3]) -- they mention those who belonged to them then
    naming('@room', since, upto, seen)
    naming('@' .. (cjson.decode(member[1]).role or 'member'), max(since, member[2]), upto, seen)
  end
  for _ in pairs(seen) do count = count + 1 end
  return min(count, most)
end

-- Number and time of the newest event that counts; `row`: its row, where it is known.
local function newest(room, floor, row)
  row = row or call('ZREVRANGEBYLEX', C, '(d', '[c', 'LIMIT', 0, 1)[1]
  local number = row and tonumber(sub(row, 2, 17)) or 0
  if number <= floor or number <= room.head - looked then return 0, '' end
  return number, match(call('HGET', M, number), '"timestamp":([^,]+)')
end

local function unread(room)
  local head = room.head
  local floor, silent = max(room.erased, head - room.max), room.silent or head
  local packed = call('HGET', O, user)
  local known = packed and cmsgpack.unpack(packed)
  local member = known and known.member
  if not member then return {newest(room, floor)} end

  local read, prefs = known['my.read'], known['my.prefs']
  local marker = read and tonumber(read[1]) or max(member[3], silent)
  local start = max(marker, silent, floor, low - 1)
  local stop = min(high, start + looked)
  local rows, last, mentioned = {}, nil, 0
  if start < min(stop, head) then
    local after, upto = pad(start + 1), pad(stop + 1)
    rows, last = of_others('[c' .. after, '(c' .. upto, 17, cap + 1)
    mentioned = mentions(start, after, upto, member, rows)
  end
  local number, at = newest(room, floor, stop >= head and last)
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
