#include "accounts/account_list.h"

#include <string.h>

#include <algorithm>

#include "accounts/account_form.h"
#include "lib/text.h"

namespace accounts {
namespace {

using Sort = ListQuery::Sort;
constexpr Sort kSorts[] = {Sort::kAddress, Sort::kName, Sort::kNumber};
constexpr std::size_t kLeastUnused = 1U << 20;  // octets: below it, nothing is made anew to get them back

/// Control characters stand in no account's names; in a search they would find the ends of lines.
std::string folded_line(std::string_view text) {
  std::string line = po::ascii_lower(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

/// The longest piece of a pattern without wildcards: what matches has to hold it.
std::string_view longest_piece(std::string_view pattern) {
  std::string_view longest;
  while (!pattern.empty()) {
    std::size_t end = std::min(pattern.find_first_of("*?"), pattern.size());
    if (end > longest.size()) longest = pattern.substr(0, end);
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
  }
  return longest;
}

}  // namespace

std::string_view AccountList::key(const Entry& entry, Sort sort) const {
  std::string_view text = std::string_view(text_).substr(entry.at, entry.size);
  // "\nNAME\nADDRESS\n..."
  return sort == Sort::kName ? text.substr(1, entry.name) : text.substr(2 + entry.name, entry.address);
}

bool AccountList::before(Sort sort, Index a, Index b) const {
  const Entry &first = entries_[a], &second = entries_[b];
  if (sort != Sort::kNumber)
    if (int order = key(first, sort).compare(key(second, sort)); order != 0) return order < 0;
  return first.id < second.id;
}

AccountList::Index AccountList::append(const directory::Account& account) {
  Entry entry{.id = account.id, .at = text_.size()};
  std::string name = folded_line(account.name);
  std::string address = folded_line(primary_address(account));
  entry.name = static_cast<std::uint32_t>(name.size());
  entry.address = static_cast<std::uint32_t>(address.size());
  text_.append("\n").append(name).append("\n").append(address);
  text_.append("\n").append(folded_line(account.pop_login));
  for (std::size_t i = 1; i < account.addresses.size(); ++i)
    text_.append("\n").append(folded_line(account.addresses[i]));
  text_.append("\n");
  entry.size = static_cast<std::uint32_t>(text_.size() - entry.at);
  entries_.push_back(entry);
  auto index = static_cast<Index>(entries_.size() - 1);
  by_id_[account.id] = index;
  return index;
}

po::Result<void> AccountList::make() {
  made_ = false;
  text_.clear();
  entries_.clear();
  by_id_.clear();
  unused_ = 0;
  auto ok = directory_.for_each([&](const directory::Account& account) {
    append(account);
    return true;
  });
  if (!ok) return ok;
  text_.shrink_to_fit();
  for (Sort sort : kSorts) {
    Order& order = orders_[static_cast<std::size_t>(sort)];
    order.resize(entries_.size());
    for (Index i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](Index a, Index b) { return before(sort, a, b); });
  }
  made_ = true;
  return {};
}

void AccountList::put_in_order(Index index) {
  for (Sort sort : kSorts) {
    Order& order = orders_[static_cast<std::size_t>(sort)];
    auto at = std::lower_bound(order.begin(), order.end(), index,
                               [&](Index a, Index b) { return before(sort, a, b); });
    order.insert(at, index);
  }
}

void AccountList::take_out(std::uint64_t id) {
  auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  Index index = found->second;
  for (Sort sort : kSorts) {
    Order& order = orders_[static_cast<std::size_t>(sort)];
    auto at = std::lower_bound(order.begin(), order.end(), index,
                               [&](Index a, Index b) { return before(sort, a, b); });
    if (at != order.end() && *at == index) order.erase(at);
  }
  unused_ += entries_[index].size;
  entries_[index].id = 0;
  by_id_.erase(found);
}

po::Result<void> AccountList::follow(const std::vector<std::uint64_t>& touched) {
  for (std::uint64_t id : touched) {
    auto account = directory_.account(id);
    if (!account) return tl::make_unexpected(account.error());
    take_out(id);
    if (*account) put_in_order(append(**account));
  }
  return {};
}

/// The generation is read first: what is committed after that is followed the next time, again perhaps.
po::Result<void> AccountList::refresh() {
  std::uint64_t now = directory_.generation();
  if (made_ && now == generation_) return {};
  auto touched = made_ ? directory_.touched_since(generation_) : std::nullopt;
  bool much_unused = unused_ > kLeastUnused && unused_ > text_.size() / 2;
  auto ok = touched && !much_unused ? follow(*touched) : make();
  if (!ok) {
    made_ = false;
    return ok;
  }
  generation_ = now;
  return {};
}

bool AccountList::matches_pattern(const Entry& entry, const std::string& pattern) const {
  std::string_view text = std::string_view(text_).substr(entry.at + 1, entry.size - 1);
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    if (po::matches_wildcards(pattern, text.substr(0, end))) return true;
    text.remove_prefix(end + 1);
  }
  return false;
}

/// Looks for `needle` through all the text at once; whoever has it is then held to the pattern, if any.
void AccountList::match_text(std::string_view needle, const std::string& pattern,
                             std::vector<bool>& matches) const {
  std::size_t from = 0;
  while (from < text_.size()) {
    const void* found = ::memmem(text_.data() + from, text_.size() - from, needle.data(), needle.size());
    if (!found) return;
    auto at = static_cast<std::size_t>(static_cast<const char*>(found) - text_.data());
    auto behind = std::upper_bound(entries_.begin(), entries_.end(), at,
                                   [](std::size_t a, const Entry& entry) { return a < entry.at; });
    auto index = static_cast<std::size_t>(behind - entries_.begin()) - 1;
    const Entry& entry = entries_[index];
    matches[index] = entry.id != 0 && (pattern.empty() || matches_pattern(entry, pattern));
    from = entry.at + entry.size;
  }
}

std::vector<bool> AccountList::matching(std::string_view search) const {
  std::string pattern = po::ascii_lower(search);
  std::vector<bool> matches(entries_.size(), pattern.empty());
  if (pattern.empty() || po::has_control(pattern)) return matches;
  bool wild = pattern.find_first_of("*?") != std::string::npos;
  std::string_view needle = wild ? longest_piece(pattern) : std::string_view(pattern);
  if (!needle.empty()) {
    match_text(needle, wild ? pattern : std::string(), matches);
    return matches;
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) matches[i] = matches_pattern(entries_[i], pattern);
  return matches;
}

po::Result<void> AccountList::make_ready() {
  std::lock_guard lock(mutex_);
  return refresh();
}

po::Result<AccountList::Found> AccountList::find(const ListQuery& query) {
  std::lock_guard lock(mutex_);
  if (auto ok = refresh(); !ok) return tl::make_unexpected(ok.error());
  const Order& order = orders_[static_cast<std::size_t>(query.sort)];
  std::vector<bool> matches = matching(query.search);
  Found found;
  found.all = order.size();
  auto take = [&](Index index) {
    if (!matches[index]) return;
    if (found.total >= query.offset && found.ids.size() < query.limit)
      found.ids.push_back(entries_[index].id);
    ++found.total;
  };
  if (query.descending)
    std::for_each(order.rbegin(), order.rend(), take);
  else
    std::for_each(order.begin(), order.end(), take);
  return found;
}

po::Result<Listing> AccountList::list(const ListQuery& query) {
  auto found = find(query);
  if (!found) return tl::make_unexpected(found.error());
  Listing listing{.total = found->total, .all = found->all, .rows = {}};
  for (std::uint64_t id : found->ids) {
    auto account = directory_.account(id);
    if (!account) return tl::make_unexpected(account.error());
    if (*account) listing.rows.push_back(std::move(**account));
  }
  return listing;
}

std::size_t AccountList::memory() const {
  std::lock_guard lock(mutex_);
  constexpr std::size_t kNode = 40;  // of the map, and its place in it
  std::size_t octets = text_.capacity() + entries_.capacity() * sizeof(Entry) + by_id_.size() * kNode;
  for (const Order& order : orders_) octets += order.capacity() * sizeof(Index);
  return octets;
}

}  // namespace accounts
