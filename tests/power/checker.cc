#include "tests/power/checker.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "lib/checksum.h"

namespace power {

using store::LmdbStore;
using store::Store;

static constexpr std::size_t kAll = 1'000'000;

/// Whether these recipients wait and no others, each as it was put.
static bool same_waiting(const Store& store, const Held& expected) {
  auto rows = store.all_waiting({}, kAll);
  return rows && std::ranges::equal(*rows, expected.waiting, [](const auto& row, const auto& known) {
           return row.key == known.first && po::wire::encode(row.row) == po::wire::encode(known.second);
         });
}

/// Whether the mailboxes hold these messages and no others; contents come later.
static bool same_ids(const Store& store, const Mailboxes& expected, std::uint64_t last_account) {
  for (std::uint64_t account = 1; account <= last_account; ++account) {
    auto items = store.list(account, {}, kAll);
    if (!items) return false;
    auto box = expected.find(account);
    std::size_t count = box == expected.end() ? 0 : box->second.size();
    if (items->size() != count) return false;
    if (count > 0 && !std::ranges::equal(*items, box->second, {}, &store::Item::id,
                                         [](const auto& row) { return row.first; }))
      return false;
  }
  return true;
}

static std::string octets_of(const store::Content& content) {
  if (!content.file) return content.body;
  struct stat st {};
  if (::fstat(content.file.get(), &st) != 0) return "";
  std::string octets(static_cast<std::size_t>(st.st_size), '\0');
  ssize_t n = ::pread(content.file.get(), octets.data(), octets.size(), 0);
  octets.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return octets;
}

std::string Checker::check_message(const Store& store, std::uint64_t account, const store::Item& item,
                                   const std::string& prefix) {
  std::string name = item.id.text() + " of mailbox " + std::to_string(account);
  auto content = store.read(account, item.id);
  ++messages_read_;
  if (!content) return name + ": " + content.error().text;
  const std::string& body = history_.bodies.at(item.id);
  if (content->prefix != prefix) return name + " has other lines before it";
  if (content->body_size != body.size() || octets_of(*content) != body) return name + " has another body";
  if (item.size != prefix.size() + body.size()) return name + " is listed with another size";
  return {};
}

std::string Checker::check_mailboxes(const Store& store, const Mailboxes& expected) {
  std::size_t entries = 0;
  for (const auto& [account, box] : expected) {
    auto items = store.list(account, {}, kAll);
    auto usage = store.usage(account);
    if (!items || !usage) return "a mailbox cannot be listed";
    std::uint64_t octets = 0;
    for (const store::Item& item : *items) {
      std::string wrong = check_message(store, account, item, box.at(item.id));
      if (!wrong.empty()) return wrong;
      octets += item.size;
    }
    if (usage->messages != items->size() || usage->octets != octets) return "a mailbox's head counts wrongly";
    entries += items->size();
  }
  auto totals = store.totals();
  if (!totals) return totals.error().text;
  if (totals->entries != entries || totals->mailboxes != expected.size()) return "the totals count wrongly";
  return {};
}

/// What the recipients wait with, and that schedulers find them.
std::string Checker::check_waiting(const Store& store, const Held& expected) {
  std::size_t not_held = 0, due = 0;
  po::MessageId last;
  for (const auto& [key, row] : expected.waiting) {
    if (!row.held) ++not_held;
    if (key.id == last) continue;
    last = key.id;
    auto content = store.body(key.id);
    auto head = store.head(key.id);
    ++messages_read_;
    if (!content) return "a message that waits: " + content.error().text;
    const std::string& body = history_.bodies.at(key.id);
    if (octets_of(*content) != body) return key.id.text() + ", which waits, has another body";
    if (!head || head->size != body.size()) return key.id.text() + ", which waits, has no head";
  }
  auto hops = store.hops("", kAll);
  if (!hops) return hops.error().text;
  for (const store::HopHead& hop : *hops) {
    auto rows = store.due(hop.hop, UINT64_MAX, kAll, [](const store::RecipientKey&) { return false; });
    if (!rows) return rows.error().text;
    due += rows->rows.size();
    for (const store::DueRow& row : rows->rows) {
      auto found = expected.waiting.find(row.key);
      if (found == expected.waiting.end() || found->second.hop != hop.hop ||
          found->second.next_ms != row.next_ms || found->second.held) {
        return "what is due is not what waits";
      }
    }
  }
  auto totals = store.totals();
  if (!totals || totals->waiting != expected.waiting.size()) return "the totals count recipients wrongly";
  return due == not_held ? "" : "a recipient waits and is never due";
}

std::string Checker::check(std::size_t answered, std::size_t begun, bool go_on) {
  static constexpr std::uint64_t kLastAccount = 10;  // one more than the load uses
  auto opened = LmdbStore::open({path_, kMapOctets});
  if (!opened) return "does not open: " + opened.error().text;
  auto holds = [&opened](const Held& held) {
    return same_ids(**opened, held.mailboxes, kLastAccount) && same_waiting(**opened, held) &&
           (*opened)->errand_mark() == held.errand;
  };
  const Held* expected = &history_.after[answered];
  if (!holds(*expected)) {
    if (begun == answered) return "the store does not hold what was acknowledged";
    expected = &history_.after[begun];
    if (!holds(*expected)) return "a change is there in part, or something is lost";
  }
  std::string wrong = check_mailboxes(**opened, expected->mailboxes);
  if (wrong.empty()) wrong = check_waiting(**opened, *expected);
  opened->reset();
  if (wrong.empty()) wrong = check_tables(path_);
  if (wrong.empty() && go_on) wrong = check_going_on();
  return wrong;
}

/// A message in rows and one in a file come, then all goes.
std::string Checker::check_going_on() {
  auto opened = LmdbStore::open({path_, kMapOctets});
  if (!opened) return "does not open again: " + opened.error().text;
  LmdbStore& store = **opened;
  store::Accept small, large;
  for (store::Accept* a : {&small, &large}) {
    a->id.octets.fill(a == &small ? 0xfd : 0xfe);
    a->body = std::string(a == &small ? 9000 : 70'000, 'x');
    a->size = a->body.size();
    po::Checksum sum;
    sum.add(a->body);
    a->checksum = sum.value();
    a->deliveries = {{1, 0, "", ""}, {2, 0, "", ""}};
    a->waiting.resize(1);
    a->waiting[0].address = "user@example.net";
    a->waiting[0].hop = "example.net";
  }
  auto file = store.open_body(large.id);
  if (!file || ::write(file->get(), large.body.data(), large.body.size()) != 70'000 ||
      !store.keep_body(large.id, large.size, large.checksum)) {
    return "takes no large body any more";
  }
  large.in_file = true;
  large.body.clear();
  std::vector<store::Change> changes{small, large};
  for (const auto& result : store.apply(changes)) {
    if (!result) return "takes no mail any more: " + result.error().text;
  }
  if (!store.read(2, small.id) || !store.read(1, large.id)) return "does not give what it took";
  opened->reset();
  std::string wrong = check_tables(path_);
  if (!wrong.empty()) return "after more mail: " + wrong;

  opened = LmdbStore::open({path_, kMapOctets});
  if (!opened) return "does not open again: " + opened.error().text;
  changes.clear();
  for (std::uint64_t account = 1; account <= 10; ++account) {
    store::Expunge all{account, {}};
    auto items = (*opened)->list(account, {}, kAll);
    if (!items) return items.error().text;
    for (const store::Item& item : *items) all.ids.push_back(item.id);
    changes.emplace_back(std::move(all));
  }
  auto rows = (*opened)->all_waiting({}, kAll);
  if (!rows) return rows.error().text;
  for (const store::WaitingRow& row : *rows) {
    changes.emplace_back(store::Settle{row.key.id, {row.key.n}, {}, {}});
  }
  changes.emplace_back(store::Release{kAll});
  for (const auto& result : (*opened)->apply(changes)) {
    if (!result) return "cannot delete all: " + result.error().text;
  }
  auto totals = (*opened)->totals();
  if (!totals || totals->messages != 0 || totals->octets != 0 || totals->entries != 0 ||
      totals->mailboxes != 0 || totals->waiting != 0) {
    return "is not empty when all was deleted";
  }
  opened->reset();
  return check_tables(path_);
}

}  // namespace power
