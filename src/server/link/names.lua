-- What the scripts behind this know of names. Each living server has a lease, a sorted set of who is
-- here and since when, a hash of what these names hold (how often each text of a key, and which name
-- is meant by what people type), and a box for letters.
-- KEYS room said marks servers   ARGV me ...
local room, servers, me = KEYS[1], KEYS[4], ARGV[1]
local argument = 1
local function next_argument()
  argument = argument + 1
  return ARGV[argument]
end
local function lease(id) return room .. ':lease:' .. id end
local function here(id) return room .. ':here:' .. id end
local function names(id) return room .. ':names:' .. id end
local function box(id) return room .. ':box:' .. id end

local living = {}
for _, id in ipairs(redis.call('SMEMBERS', servers)) do
  if redis.call('EXISTS', lease(id)) == 1 then table.insert(living, id) end
end

local function next_texts()
  local texts = {}
  for _ = 1, tonumber(next_argument()) do table.insert(texts, next_argument()) end
  return texts
end

-- A name, what people may type for it, and pairs of a look and that look in its script.
local function next_name()
  return { shown = next_argument(), typed = next_argument(), keys = next_texts() }
end

-- Returns the server that is in the way of a name, apart from what this server holds as `own`.
local function obstacle(name, own)
  local function held(id, text)
    local n = tonumber(redis.call('HGET', names(id), 'k:' .. text) or 0)
    if id == me then n = n - (own[text] or 0) end
    return n
  end
  for _, id in ipairs(living) do
    for at = 1, #name.keys, 2 do
      local look, in_script = name.keys[at], name.keys[at + 1]
      if held(id, look) ~= (in_script ~= '' and held(id, in_script) or 0) then return id end
    end
  end
end

local function now()
  local time = redis.call('TIME')
  return time[1] + time[2] / 1000000
end

local function take(name, since)
  for _, text in ipairs(name.keys) do
    if text ~= '' then redis.call('HINCRBY', names(me), 'k:' .. text, 1) end
  end
  redis.call('HSET', names(me), 't:' .. name.typed, name.shown)
  redis.call('ZADD', here(me), string.format('%.6f', since), name.shown)
end

-- Announces that those on a server came or left, with a sign in front of each name.
local function announce(id, sign)
  local people = redis.call('ZRANGE', here(id), 0, -1)
  local is_ready = redis.call('HEXISTS', room, 'total') == 1
  for at = 1, is_ready and #people or 0, 400 do
    local lines = {}
    for number = at, math.min(at + 399, #people) do table.insert(lines, sign .. people[number] .. '\n') end
    local text = table.concat(lines)
    append(0, '-*', #text, 'k', 'change', 'x', text)
  end
end

-- Removes all that a server has here.
local function remove(id)
  announce(id, '-')
  redis.call('SREM', servers, id)
  redis.call('HDEL', room .. ':silent', id)
  return redis.call('DEL', names(id), here(id), lease(id), box(id))
end
