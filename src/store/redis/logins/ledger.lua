-- Messages over all phones, as the scripts about them share it: a hash for a country, a prefix or a client. Its fields: `f:`, `h:`
-- and `d:` with the number of a bucket hold how many messages in it are open and how many were answered; `n:` with a
-- number's last digits, when it was asked for and until when that counts; `c:` with a country, the hour of the last message there.
local SCALES = {
  f = { span = 300000000, keep = 13 }, h = { span = 3600000000, keep = 25 }, d = { span = 86400000000, keep = 15 },
}
local NEAR = 64
for _, scale in pairs(SCALES) do
  scale.bucket = math.floor(now / scale.span)
  scale.first = scale.bucket + 1 - scale.keep
end

local function foreign() error('a value is none of ours') end

-- All of a ledger that is not past.
local function open_ledger(key)
  local book = { key = key, kept = {}, f = {}, h = {}, d = {}, near = {}, countries = {} }
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local name, text = flat[i], flat[i + 1]
    book.kept[name] = text
    local kind, of = string.match(name, '^(%l):(.*)$')
    if SCALES[kind] then
      local bucket, open, answered = tonumber(of), string.match(text, '^(-?%d+) (%d+)$')
      if not bucket or not open then foreign() end
      if bucket >= SCALES[kind].first then book[kind][bucket] = { tonumber(open), tonumber(answered) } end
    elseif kind == 'n' then
      local at, ending, order = string.match(text, '^(%d+) (%d+) (%d+)$')
      if not at then foreign() end
      if tonumber(ending) > now then
        book.near[of] = { at = tonumber(at), ending = tonumber(ending), order = tonumber(order) }
      end
    elseif kind == 'c' then
      local hour = tonumber(text)
      if not hour then foreign() end
      if hour >= SCALES.h.first then book.countries[of] = hour end
    else
      foreign()
    end
  end
  return book
end

local function sum(book, kind)
  local open, answered = 0, 0
  for _, counts in pairs(book[kind]) do
    open, answered = open + counts[1], answered + counts[2]
  end
  return math.max(open, 0), answered
end

local function best(book)
  local most = 0
  for _, counts in pairs(book.d) do most = math.max(most, counts[2]) end
  return most
end

local function add(book, kind, open, answered)
  local bucket = SCALES[kind].bucket
  local counts = book[kind][bucket] or { 0, 0 }
  book[kind][bucket] = { counts[1] + open, counts[2] + answered }
end

local function count(book, open, answered, keeps_days)
  add(book, 'f', open, answered)
  add(book, 'h', open, answered)
  if keeps_days and answered > 0 then add(book, 'd', 0, answered) end
end

-- Writes what has changed, and forgets what is past.
local function save(book)
  local fresh, dies = {}, 0
  local function keep(name, ending, text)
    fresh[name] = text
    dies = math.max(dies, ending)
  end
  for kind, scale in pairs(SCALES) do
    for bucket, counts in pairs(book[kind]) do
      keep(kind .. ':' .. whole(bucket), (bucket + scale.keep) * scale.span, whole(counts[1]) .. ' ' .. whole(counts[2]))
    end
  end
  for of, near in pairs(book.near) do
    keep('n:' .. of, near.ending, whole(near.at) .. ' ' .. whole(near.ending) .. ' ' .. whole(near.order))
  end
  for of, hour in pairs(book.countries) do
    keep('c:' .. of, (hour + SCALES.h.keep) * SCALES.h.span, whole(hour))
  end
  local set, gone = {}, {}
  for name, text in pairs(fresh) do
    if book.kept[name] ~= text then
      set[#set + 1] = name
      set[#set + 1] = text
    end
  end
  for name in pairs(book.kept) do
    if not fresh[name] then gone[#gone + 1] = name end
  end
  if #gone > 0 then redis.call('HDEL', book.key, unpack(gone)) end
  if #set > 0 then redis.call('HSET', book.key, unpack(set)) end
  if dies > now then redis.call('PEXPIRE', book.key, px(dies - now) + 10000) end
end

local function spent_today(key)
  local day = whole(SCALES.d.bucket)
  local kept = redis.call('HMGET', key, 'day', 'spent', 'warned', 'refused')
  if kept[1] ~= day then return { day = day, spent = 0, warned = '0', refused = '0' } end
  return { day = day, spent = tonumber(kept[2]) or foreign(), warned = kept[3], refused = kept[4] }
end

local function write_spent(key, today)
  redis.call('HSET', key, 'day', today.day, 'spent', whole(today.spent), 'warned', today.warned, 'refused', today.refused)
  redis.call('PEXPIRE', key, 172800000)
end
