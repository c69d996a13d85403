-- What a user has not read in a room. It is asked for many rooms at once, so it makes few calls.
-- a user, the name by which they are mentioned ('' none), how many are counted at most, from which number to which, how many numbers are looked at, how many mentions
-- are counted at most, users whose messages mention nobody -> number and text of the newest event that counts or '', facts about the user, packed; and of a member: their marker, how many, the first
-- one's number or 0, are there more?, mentions
local room = load()
if not room then return false end
if ARGV[6] ~= '' then expire(room) end
local user, named, cap, low, high = ARGV[own], ARGV[own + 1], tonumber(ARGV[own + 2]), tonumber(ARGV[own + 3]), tonumber(ARGV[own + 4])
local looked, most = tonumber(ARGV[own + 5]), tonumber(ARGV[own + 6])
local floor, silent = math.max(room.erased, room.head - room.max), room.silent or room.head

local number, text = 0, ''
local newest = redis.call('ZREVRANGEBYLEX', C, '(d', string.format('[c%016d', math.max(floor, room.head - looked, 0) + 1), 'LIMIT', 0, 1)[1]
if newest then
  number = tonumber(string.sub(newest, 2, 17))
  text = redis.call('HGET', M, number)
end
local packed = redis.call('HGET', O, user) or ''
local known = packed ~= '' and cmsgpack.unpack(packed)
if not known or not known.member then return {number, text, packed} end

local read = known['my.read']
local marker = read and tonumber(read[1]) or math.max(known.member[3], silent)
local start = math.max(marker, silent, floor, low - 1)
local stop = math.min(high, start + looked)
local more = math.min(high, room.head) > stop

local after, behind_stop = string.format('%016d', start + 1), string.format('%016d', stop + 1)

-- Up to `limit` of the numbers behind one that stand in rows of c between a prefix and a sender other than the user, and than the `silent` ones.
local function find(prefix, above, limit, silent)
  local found, size, behind = {}, #prefix + 16, #prefix + 17
  local mine, from, upto = size + #user, '[' .. prefix .. (above == start and after or string.format('%016d', above + 1)), '(' .. prefix .. behind_stop
  while above < stop do
    local rows = redis.call('ZRANGEBYLEX', C, from, upto, 'LIMIT', 0, limit)
    for k = 1, #rows do
      local row = rows[k]
      if (#row ~= mine or string.sub(row, behind) ~= user) and not (silent and silent[string.sub(row, behind)]) then
        found[#found + 1] = row
        if #found == limit then return found, size end
      end
    end
    if #rows < limit then break end
    from = '(' .. rows[#rows]
  end
  return found, size
end

local rows = (number > start or start < room.head - looked) and find('c', start, cap + 1) or {}
local first = rows[1] and tonumber(string.sub(rows[1], 2, 17)) or 0
local mentions, few = 0, 10
local mentioned = redis.call('ZRANGEBYLEX', C, '[#' .. after, '(#' .. behind_stop, 'LIMIT', 0, few)
if mentioned[1] then
  local seen, silent, groups = {}, {}, #mentioned == few -- fewer are all: most mention no group
  for k = own + 7, #ARGV do silent[ARGV[k]] = true end
  for k = 1, #mentioned do groups = groups or string.find(mentioned[k], ':@', 18, true) end
  local function add(name, above)
    local named, size = find('@' .. #name .. ':' .. name, above, most, silent)
    for k = 1, #named do
      local seq = string.sub(named[k], size - 15, size)
      if not seen[seq] then
        seen[seq] = true
        mentions = mentions + 1
      end
    end
  end
  if named ~= '' then add(named, start) end
  if groups then
    local since = math.max(start, known.member[3]) -- they mention those who belonged to them then
    add('@room', since)
    add('@' .. (cjson.decode(known.member[1]).role or 'member'), math.max(since, known.member[2]))
  end
end
return {number, text, packed, marker, math.min(#rows, cap), first, (more or #rows > cap) and 1 or 0, math.min(mentions, most)}
