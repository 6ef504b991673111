#include <dirent.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <set>

#include "lib/store/layout.h"
#include "lib/store/mdb.h"
#include "tests/power/checker.h"

namespace power {

using namespace store;
using po::MessageId;

namespace {

/// What the tables hold, as far as it is counted somewhere.
struct Seen {
  std::map<MessageId, layout::MessageRecord> messages;
  std::map<MessageId, std::uint32_t> references;
  std::map<MessageId, std::uint64_t> piece_octets;
  std::map<std::uint64_t, layout::MailboxHead> heads, counted;
  std::set<std::string, std::less<>> due, expected_due;  ///< keys
  std::uint64_t waiting = 0;
  layout::TotalsRecord totals;
};

template <class Row>
std::string each(MDB_txn* txn, const char* name, Row row) {
  MDB_dbi table = 0;
  mdb::Cursor cursor;
  int rc = mdb_dbi_open(txn, name, 0, &table);
  if (rc == 0) rc = mdb::open_cursor(txn, table, cursor);
  std::string_view key, value;
  while (rc == 0 && (rc = mdb::move(cursor.get(), MDB_NEXT, key, value)) == 0) {
    if (!row(key, value)) return std::string("a row of ") + name + " is not as it should be";
  }
  return rc == MDB_NOTFOUND ? "" : std::string(name) + ": " + mdb_strerror(rc);
}

bool read_message(std::string_view key, std::string_view row, Seen& seen) {
  layout::MessageRecord record;
  Envelope envelope;
  po::wire::Reader reader(row);
  reader.get(record);
  reader.get(envelope);
  std::string head = po::wire::encode(record) + po::wire::encode(envelope);
  if (key.size() != 12 || !reader.ok() || !row.starts_with(head)) return false;
  seen.messages[layout::id_of(key)] = record;
  return row.size() - head.size() == (record.in_file ? 0 : layout::rest(record.size));
}

bool read_mailbox_row(std::string_view key, std::string_view value, Seen& seen) {
  if (key.size() != 20) return false;
  std::uint64_t account = layout::read_big_endian(key.substr(0, 8));
  MessageId id = layout::id_of(key.substr(8));
  if (id == MessageId{}) return po::wire::decode(value, seen.heads[account]);
  layout::MailboxRow row;
  if (!po::wire::decode(value, row)) return false;
  ++seen.references[id];
  ++seen.counted[account].messages;
  seen.counted[account].octets += row.size;
  return true;
}

bool read_released(std::string_view key, std::string_view value, Seen& seen) {
  std::uint32_t count = 0;
  if (key.size() != 12 || !po::wire::decode(value, count) || count == 0) return false;
  seen.references[layout::id_of(key)] += count;
  return true;
}

bool read_piece(std::string_view key, std::string_view value, Seen& seen) {
  if (key.size() != 14 || value.empty()) return false;
  seen.piece_octets[layout::id_of(key)] += value.size();
  return true;
}

bool read_recipient(std::string_view key, std::string_view value, Seen& seen) {
  Waiting row;
  if (key.size() != 16 || !po::wire::decode(value, row)) return false;
  MessageId id = layout::id_of(key);
  auto n = static_cast<std::uint32_t>(layout::read_big_endian(key.substr(12)));
  ++seen.references[id];
  ++seen.waiting;
  if (!row.held) {
    seen.expected_due.emplace(layout::DueKey({row.hop, row.lane, row.next_ms, id, n}).view());
  }
  return value.size() <= layout::kMaxRow && row.last.size() <= kMostAttempts;
}

bool read_due(std::string_view key, std::string_view value, Seen& seen) {
  seen.due.emplace(key);
  return value.empty();
}

std::string read_all(MDB_txn* txn, Seen& seen) {
  struct {
    const char* name;
    bool (*row)(std::string_view, std::string_view, Seen&);
  } const tables[] = {{"message", read_message},
                      {"body", read_piece},
                      {"mailbox", read_mailbox_row},
                      {"released", read_released},
                      {"recipient", read_recipient},
                      {"due", read_due},
                      {"meta", [](std::string_view key, std::string_view value, Seen& all) {
                         return key != layout::kTotalsKey || po::wire::decode(value, all.totals);
                       }}};
  for (const auto& table : tables) {
    std::string wrong =
        each(txn, table.name, [&](auto key, auto value) { return table.row(key, value, seen); });
    if (!wrong.empty()) return wrong;
  }
  return {};
}

template <class Record>
bool same(Record a, Record b) {
  return a.fields() == b.fields();
}

std::string compare(const Seen& seen) {
  layout::TotalsRecord sum;
  std::map<MessageId, std::uint32_t> references;
  std::map<MessageId, std::uint64_t> octets;
  for (const auto& [id, record] : seen.messages) {
    ++sum.messages;
    sum.octets += record.size;
    references[id] = record.references;
    std::uint64_t whole = record.in_file ? 0 : record.size - layout::rest(record.size);
    if (whole > 0) octets[id] = whole;
  }
  for (const auto& [account, head] : seen.counted) {
    ++sum.mailboxes;
    sum.entries += head.messages;
    auto stated = seen.heads.find(account);
    if (stated == seen.heads.end() || !same(stated->second, head)) return "a mailbox's head is wrong";
  }
  if (seen.heads.size() != seen.counted.size()) return "an empty mailbox has a head";
  sum.waiting = seen.waiting;
  if (!same(sum, seen.totals)) return "the totals are wrong";
  if (seen.due != seen.expected_due) return "the rows of due are not those of the recipients";
  if (references != seen.references) return "references are wrong";
  if (octets != seen.piece_octets) return "pieces of a body are missing or left over";
  return {};
}

std::string check_bodies(const std::string& directory, const Seen& seen) {
  std::map<std::string, std::uint64_t> named, there;
  for (const auto& [id, record] : seen.messages) {
    if (record.in_file) named[id.text()] = record.size;
  }
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) return "there is no bodies directory";
  while (dirent* entry = ::readdir(dir.get())) {
    struct stat st {};
    if (entry->d_name[0] == '.' || ::fstatat(::dirfd(dir.get()), entry->d_name, &st, 0) != 0) continue;
    there[entry->d_name] = static_cast<std::uint64_t>(st.st_size);
  }
  return named == there ? "" : "the bodies' files are not those that messages name";
}

}  // namespace

std::string check_tables(const std::string& path) {
  MDB_env* raw = nullptr;
  int rc = mdb_env_create(&raw);
  mdb::Env env(raw);
  if (rc == 0) rc = mdb_env_set_mapsize(env.get(), kMapOctets);
  if (rc == 0) rc = mdb_env_set_maxdbs(env.get(), 8);
  if (rc == 0) rc = mdb_env_open(env.get(), path.c_str(), MDB_RDONLY | MDB_NOLOCK, 0600);
  mdb::Txn txn;
  if (rc == 0) rc = mdb::begin(env.get(), MDB_RDONLY, txn);
  if (rc != 0) return std::string("the tables cannot be read: ") + mdb_strerror(rc);
  Seen seen;
  std::string wrong = read_all(txn.get(), seen);
  if (wrong.empty()) wrong = compare(seen);
  return wrong.empty() ? check_bodies(path + "/bodies", seen) : wrong;
}

}  // namespace power
