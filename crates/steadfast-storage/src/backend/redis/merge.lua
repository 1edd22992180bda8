-- Merges claims of some users, each user's in their order, in one step: what `merge::merge` says, on the form of
-- `value.rs`.
--
-- KEYS     the users' hashes
-- ARGV[1]  after how many milliseconds a hash goes, or an empty text
-- then for each claim three: campaign, the value of its record, and what else there is to it: the first letter of its
-- condition, the goal that it adds after the goal's length in bytes and a colon, the variation that is gone. The letter
-- is a capital where the claim is the first one of the next hash.
--
-- Few arguments, since each costs the server a text; and no JSON.
--
-- Answers with what was stored before each claim, or a list of one error where the key has something else. Whoever asks
-- merges once more, and so knows the rest.

-- What is stored after a claim meets what is there. Made where it is needed: a new user does without, and is the rule.
local function merging()
  local SEPARATOR = '_vwo_'

  local function starts_with(text, start)
    return string.sub(text, 1, #start) == start
  end

  local function ends_with(text, last)
    return #text >= #last and string.sub(text, #text - #last + 1) == last
  end

  -- Whether `list` goes on where `other` ends.
  local function continues(list, other)
    if not starts_with(list, other) then
      return false
    end
    local added = string.sub(list, #other + 1)
    return other == '' or added == '' or starts_with(added, SEPARATOR)
  end

  local function push(list, goal)
    if list == '' then
      return goal
    end
    return list .. SEPARATOR .. goal
  end

  local function parts(list)
    local found, from = {}, 1
    while true do
      local first, last = string.find(list, SEPARATOR, from, true)
      if not first then
        found[#found + 1] = string.sub(list, from)
        return found
      end
      found[#found + 1] = string.sub(list, from, first - 1)
      from = last + 1
    end
  end

  -- What is in both lists, part by part.
  local function unite(list, other)
    if continues(other, list) then
      return other
    end
    local listed = {}
    for _, part in ipairs(parts(list)) do
      listed[part] = true
    end
    for _, part in ipairs(parts(other)) do
      if part ~= '' and not listed[part] then
        list = push(list, part)
        listed[part] = true
      end
    end
    return list
  end

  -- Whether `goal` stands in the list as whole parts.
  local function has_run(list, goal)
    local from = 1
    while true do
      local first, last = string.find(list, goal, from, true)
      if not first then
        return false
      end
      local before, after = string.sub(list, 1, first - 1), string.sub(list, last + 1)
      if (before == '' or ends_with(before, SEPARATOR)) and (after == '' or starts_with(after, SEPARATOR)) then
        return true
      end
      from = last + 1
    end
  end

  local function goals_of(stored, complete, goal)
    if goal == '' or continues(complete, stored) then
      return unite(stored, complete)
    end
    local read = complete
    if ends_with(read, goal) then
      read = string.sub(read, 1, #read - #goal)
    end
    if ends_with(read, SEPARATOR) then
      read = string.sub(read, 1, #read - #SEPARATOR)
    end
    local new = unite(stored, read)
    if has_run(new, goal) then
      return new
    end
    return push(new, goal)
  end

  local function encode(activated, variation, goals, meta)
    return '1' .. activated .. #variation .. ':' .. variation .. #goals .. ':' .. goals .. meta
  end

  -- The parts of a value; nothing where it has another form, which is then left alone.
  local function decode(value)
    local activated, length, at = string.match(value, '^1([+-])(%d+):()')
    if not activated then
      return nil
    end
    local variation = string.sub(value, at, at + length - 1)
    local many, from = string.match(value, '^(%d+):()', at + length)
    if not many or #variation ~= tonumber(length) then
      return nil
    end
    local goals = string.sub(value, from, from + many - 1)
    if #goals ~= tonumber(many) then
      return nil
    end
    return activated, variation, goals, string.sub(value, from + many)
  end

  return function(stored, place)
    local value = ARGV[place + 1]
    local condition, length, at = string.match(ARGV[place + 2], '^(%a)(%d+):()')
    local goal, gone = string.sub(ARGV[place + 2], at, at + length - 1), string.sub(ARGV[place + 2], at + length)
    condition = string.lower(condition)
    local activates, wanted, complete, with = decode(value)
    local activated, variation, goals, meta = decode(stored)
    if not activated then
      return stored
    end
    local same = variation == wanted
    if not same and condition == 'r' and gone == variation then
      return value
    elseif not same and condition == 'u' then
      return stored
    end
    goals = goals_of(goals, complete, goal)
    if same then
      if condition == 's' or meta == '' then
        meta = with
      end
      if activates == '+' then
        activated = '+'
      end
    end
    return encode(activated, variation, goals, meta)
  end
end

local before, merge, key, user = {}, nil, nil, 0
for place = 2, #ARGV, 3 do
  if string.byte(ARGV[place + 2]) < 97 then
    user = user + 1
    key = KEYS[user]
  end
  local campaign, written = ARGV[place], true
  local new = redis.pcall('HSETNX', key, campaign, ARGV[place + 1])
  if new == 1 then
    before[#before + 1] = false
  elseif new == 0 then
    local stored = redis.call('HGET', key, campaign)
    merge = merge or merging()
    local after = merge(stored, place)
    before[#before + 1] = stored
    written = after ~= stored
    if written then
      redis.call('HSET', key, campaign, after)
    end
  elseif string.find(new.err, 'WRONGTYPE', 1, true) then
    before[#before + 1], written = { new.err }, false
  else
    -- No write is taken now, so none was.
    return new
  end
  if written and ARGV[1] ~= '' then
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return before
