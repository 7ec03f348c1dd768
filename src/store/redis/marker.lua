-- Begins the life of what is kept here, unless it has begun, and dates it anew where another run of the server goes on with it, after a
-- restart or in the master's place: that one may lack the last of what was kept. KEYS the marker; ARGV now, a random id. Answers the marker.
local info = redis.pcall('INFO', 'server')
local text = redis.call('GET', KEYS[1]) or ''
local id, since, old = string.match(text, '^([^|]+)|(%d+)|?(%w*)$')
-- Who may not ask for it cannot tell.
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or old or ''
if not id or (old ~= '' and old ~= run) then since = whole(now) end
local told = (id or ARGV[2]) .. '|' .. since .. '|' .. run
if told ~= text then redis.call('SET', KEYS[1], told) end
return told
