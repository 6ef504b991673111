#include "lib/store/lmdb_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "lib/checksum.h"
#include "lib/disk_space.h"
#include "lib/store/failure.h"
#include "lib/store/layout.h"
#include "lib/store/transaction.h"

namespace store {

using layout::MessageRecord;
using po::Fd;
using po::MessageId;

namespace {

constexpr unsigned kMaxTables = 8;
constexpr unsigned kMaxReaders = 16;  // the loop, and reader threads; not one per session

constexpr const char *kTables = "data.mdb", *kNewTables = "new.mdb", *kNewTablesLock = "new.mdb-lock";

/// Makes a directory entry last. A parent that may not be opened is left to the file system's journal.
int sync_directory(int at, const char* name) {
  Fd dir(::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return errno == EACCES ? 0 : errno;
  return ::fsync(dir.get()) == 0 ? 0 : errno;
}

Result<Fd> open_root(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return tl::unexpected(disk_failure("cannot make " + path, errno));
  }
  Fd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return tl::unexpected(disk_failure("cannot open " + path, errno));
  return root;
}

Result<Fd> take_lock(int root, const std::string& path) {
  Fd lock(::openat(root, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return tl::unexpected(disk_failure("cannot open " + path + "/lock", errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return refused("another process has the store " + path);
  return tl::unexpected(disk_failure("cannot lock " + path + "/lock", errno));
}

}  // namespace

Result<std::unique_ptr<LmdbStore>> LmdbStore::open(const LmdbOptions& options) {
  std::unique_ptr<LmdbStore> s(new LmdbStore);
  auto root = open_root(options.path);
  if (!root) return tl::unexpected(root.error());
  s->root_ = std::move(*root);
  auto lock = take_lock(s->root_.get(), options.path);
  if (!lock) return tl::unexpected(lock.error());
  s->lock_ = std::move(*lock);
  auto files = BodyFiles::open(options.path);
  if (!files) return tl::unexpected(files.error());
  s->files_ = std::move(*files);

  struct stat there {};
  if (::fstatat(s->root_.get(), kTables, &there, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
    auto made = s->make_store(options);
    if (!made) return tl::unexpected(made.error());
  }
  auto environment = s->open_environment(options.path, options.map_octets, 0);
  if (!environment) return tl::unexpected(environment.error());
  auto tables = s->open_tables();
  if (!tables) return tl::unexpected(tables.error());
  // LMDB syncs its file, not the directory that names it: without this the whole store could be gone after a
  // loss of power, with messages that were promised.
  int rc = sync_directory(s->root_.get(), ".");
  if (rc == 0) rc = sync_directory(s->root_.get(), "..");
  if (rc != 0) return failed(rc, "cannot sync " + options.path);

  auto swept = s->files_.sweep([&s](const MessageId& id) { return s->names_file(id); });
  if (!swept) return tl::unexpected(swept.error());
  s->swept_ = *swept;
  s->spare_.open(s->root_.get());
  return s;
}

Result<void> LmdbStore::open_environment(const std::string& path, std::uint64_t map_octets, unsigned flags) {
  MDB_env* env = nullptr;
  int rc = mdb_env_create(&env);
  env_.reset(env);
  if (rc == 0) rc = mdb_env_set_mapsize(env, map_octets);
  if (rc == 0) rc = mdb_env_set_maxdbs(env, kMaxTables);
  if (rc == 0) rc = mdb_env_set_maxreaders(env, kMaxReaders);
  // MDB_NOTLS: a read transaction belongs to its object, not to a thread.
  if (rc == 0) rc = mdb_env_open(env, path.c_str(), MDB_NOTLS | flags, 0600);
  if (rc != 0) return failed(rc, "cannot open the store " + path);
  return {};
}

// LMDB makes its file in place: a loss of power in that moment would leave one that is no environment, and
// which only a hand could remove. So it is made whole under another name.
Result<void> LmdbStore::make_store(const LmdbOptions& options) {
  (void)::unlinkat(root_.get(), kNewTables, 0);
  auto made = open_environment(options.path + "/" + kNewTables, options.map_octets, MDB_NOSUBDIR);
  if (made) made = open_tables();
  env_.reset();
  (void)::unlinkat(root_.get(), kNewTablesLock, 0);
  if (!made) return made;
  if (::renameat(root_.get(), kNewTables, root_.get(), kTables) == 0) return {};
  return tl::unexpected(disk_failure("cannot name the store's tables", errno));
}

int LmdbStore::make_tables(MDB_txn* txn) {
  struct {
    const char* name;
    MDB_dbi* table;
  } const all[] = {{"message", &tables_.message},     {"body", &tables_.body},
                   {"mailbox", &tables_.mailbox},     {"released", &tables_.released},
                   {"recipient", &tables_.recipient}, {"due", &tables_.due}};
  for (const auto& t : all) {
    int rc = mdb_dbi_open(txn, t.name, MDB_CREATE, t.table);
    if (rc != 0) return rc;
  }
  return 0;
}

Result<void> LmdbStore::open_tables() {
  mdb::Txn txn;
  int rc = mdb::begin(env_.get(), 0, txn);
  if (rc != 0) return failed(rc, "cannot begin");
  rc = mdb_dbi_open(txn.get(), "meta", 0, &tables_.meta);
  if (rc == MDB_NOTFOUND) {
    MDB_stat stat{};
    if (mdb_env_stat(env_.get(), &stat) == 0 && stat.ms_entries != 0) {
      return refused("data.mdb holds tables, but is not a store");
    }
    rc = mdb_dbi_open(txn.get(), "meta", MDB_CREATE, &tables_.meta);
    std::string version = po::wire::encode(layout::kVersion),
                totals = po::wire::encode(layout::TotalsRecord{});
    MDB_val k = mdb::val(layout::kVersionKey), v = mdb::val(version);
    if (rc == 0) rc = mdb_put(txn.get(), tables_.meta, &k, &v, 0);
    k = mdb::val(layout::kTotalsKey), v = mdb::val(totals);
    if (rc == 0) rc = mdb_put(txn.get(), tables_.meta, &k, &v, 0);
  } else if (rc == 0) {
    std::string_view value;
    std::uint32_t version = 0;
    rc = mdb::get(txn.get(), tables_.meta, layout::kVersionKey, value);
    if (rc == 0 && (!po::wire::decode(value, version) || version != layout::kVersion)) {
      return refused("the store was written by another version of this system (format " +
                     std::to_string(version) + ", this one knows " + std::to_string(layout::kVersion) + ")");
    }
  }
  if (rc == 0) rc = make_tables(txn.get());
  if (rc == 0) rc = mdb::commit(txn);
  if (rc != 0) return failed(rc, "cannot open the store's tables");
  return {};
}

// ---- changes

std::vector<Result<std::uint64_t>> LmdbStore::apply(std::span<const Change> changes) {
  std::vector<Result<std::uint64_t>> results(changes.size(), std::uint64_t{0});
  if (changes.empty()) return results;
  spare_.keep();
  int rc = write_or_use_spare(changes, results);
  if (rc == 0) return results;
  Failure failure = failure_after_commit(rc);
  if (changes.size() == 1 || failure.status == Status::kUnknown) {
    std::ranges::fill(results, tl::unexpected(failure));
    return results;
  }
  // Something did not fit, and nothing of the transaction is in force. One by one, so that what does fit is
  // not harmed by what does not; a state that is rare and already slow.
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (failure.status == Status::kUnknown) {
      results[i] = tl::unexpected(failure);
      continue;
    }
    std::vector<Result<std::uint64_t>> one(1, std::uint64_t{0});
    rc = write_or_use_spare(changes.subspan(i, 1), one);
    if (rc != 0) failure = failure_after_commit(rc);
    results[i] = rc == 0 ? one[0] : tl::unexpected(failure);
  }
  return results;
}

/// Again with the spare space when the disk is full: what is left of new messages then finds no room, but
/// deletions do.
int LmdbStore::write_or_use_spare(std::span<const Change> changes,
                                  std::vector<Result<std::uint64_t>>& results) {
  int rc = write_all(changes, results);
  if (rc == 0 || !failure_after_commit(rc).no_space || !spare_.give_up()) return rc;
  return write_all(changes, results);
}

/// Accepts that stand side by side, by id: rows are then appended, in whatever order the smtpds sent them.
static std::vector<std::size_t> writing_order(std::span<const Change> changes) {
  std::vector<std::size_t> order(changes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto id = [&changes](std::size_t i) { return std::get<Accept>(changes[i]).id; };
  for (std::size_t from = 0; from < order.size();) {
    std::size_t to = from;
    while (to < order.size() && std::holds_alternative<Accept>(changes[to])) ++to;
    std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(from),
                     order.begin() + static_cast<std::ptrdiff_t>(to),
                     [&id](std::size_t a, std::size_t b) { return id(a) < id(b); });
    from = to + 1;
  }
  return order;
}

// Files are unlinked after the commit that took their record away: the other order would leave, after a crash
// between the two, a message without its body.
int LmdbStore::write_all(std::span<const Change> changes, std::vector<Result<std::uint64_t>>& results) {
  Transaction transaction;
  int rc = transaction.begin(env_.get(), tables_, spare_.missing());
  if (rc != 0) return rc;
  for (std::size_t i : writing_order(changes)) {
    rc = transaction.apply(changes[i], results[i]);
    if (rc != 0) return rc;
  }
  rc = transaction.commit();
  if (rc != 0) return rc;
  for (const MessageId& id : transaction.dropped_files()) files_.unlink_kept(id);
  return 0;
}

// A disk that is full while the pages are written leaves the old meta page in force. If it was the meta page
// itself that could not be written, LMDB refuses all further transactions, and what is in force only a new
// start tells.
Failure LmdbStore::failure_after_commit(int rc) {
  Failure failure = table_failure(po::no_space_if_cut_short(rc, root_.get()), "cannot write to the store");
  mdb::Txn probe;
  if (failure.status != Status::kUnknown && mdb::begin(env_.get(), 0, probe) == MDB_PANIC) {
    failure.status = Status::kUnknown;
  }
  return failure;
}

// ---- reads

static std::uint64_t size_of(std::string_view mailbox_row) {
  std::uint64_t size = 0;
  po::wire::Reader(mailbox_row).get(size);
  return size;
}

static bool belongs(std::string_view key, std::uint64_t account) {
  return key.size() == 20 && layout::read_big_endian(key.substr(0, 8)) == account;
}

Result<std::vector<Item>> LmdbStore::list(std::uint64_t account, const MessageId& after,
                                          std::size_t limit) const {
  mdb::Txn txn;
  mdb::Cursor cursor;
  std::vector<Item> items;
  auto start = layout::mailbox_key(account, after);
  std::string_view key = start.view(), value;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = mdb::open_cursor(txn.get(), tables_.mailbox, cursor);
  if (rc == 0) rc = mdb::move(cursor.get(), MDB_SET_RANGE, key, value);
  if (rc == 0 && key == start.view()) rc = mdb::move(cursor.get(), MDB_NEXT, key, value);
  while (rc == 0 && belongs(key, account) && items.size() < limit) {
    items.push_back({layout::id_of(key.substr(8)), size_of(value)});
    rc = mdb::move(cursor.get(), MDB_NEXT, key, value);
  }
  if (rc != 0 && rc != MDB_NOTFOUND) return failed(rc, "cannot list a mailbox");
  return items;
}

Result<std::vector<Item>> LmdbStore::newest(std::uint64_t account, std::size_t limit) const {
  mdb::Txn txn;
  mdb::Cursor cursor;
  std::vector<Item> items;
  if (account == UINT64_MAX) return items;
  auto end = layout::mailbox_key(account + 1);  // the first key after the mailbox
  std::string_view key = end.view(), value;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = mdb::open_cursor(txn.get(), tables_.mailbox, cursor);
  if (rc == 0) rc = mdb::move(cursor.get(), MDB_SET_RANGE, key, value);
  if (rc == 0)
    rc = mdb::move(cursor.get(), MDB_PREV, key, value);
  else if (rc == MDB_NOTFOUND)
    rc = mdb::move(cursor.get(), MDB_LAST, key, value);
  while (rc == 0 && belongs(key, account) && items.size() < limit) {
    MessageId id = layout::id_of(key.substr(8));
    if (id == MessageId{}) break;  // the head row
    items.push_back({id, size_of(value)});
    rc = mdb::move(cursor.get(), MDB_PREV, key, value);
  }
  if (rc != 0 && rc != MDB_NOTFOUND) return failed(rc, "cannot list a mailbox");
  return items;
}

static int read_pieces(MDB_txn* txn, MDB_dbi table, const MessageId& id, std::uint64_t size,
                       std::string& body) {
  mdb::Cursor cursor;
  int rc = mdb::open_cursor(txn, table, cursor);
  auto start = layout::body_key(id, 0);
  std::string_view key = start.view(), value;
  for (MDB_cursor_op op = MDB_SET_RANGE; rc == 0 && body.size() < size; op = MDB_NEXT) {
    rc = mdb::move(cursor.get(), op, key, value);
    if (rc != 0 || !key.starts_with(id.bytes())) break;
    body += value;
  }
  return rc;
}

int LmdbStore::read_prefix(MDB_txn* txn, std::uint64_t account, const MessageId& id, Content& content) const {
  std::string_view value;
  int rc = mdb::get(txn, tables_.mailbox, layout::mailbox_key(account, id).view(), value);
  layout::MailboxRow row;
  if (rc == 0 && !po::wire::decode(value, row)) rc = MDB_CORRUPTED;
  if (rc == 0) content.prefix = row.prefix;
  return rc;
}

/// All but what is in a file.
int LmdbStore::read_body(MDB_txn* txn, const MessageId& id, Content& content, bool& in_file) const {
  std::string_view value;
  MessageRecord record;
  int rc = mdb::get(txn, tables_.message, id.bytes(), value);
  if (rc == 0 && !layout::read_record(value, record)) rc = MDB_CORRUPTED;
  if (rc != 0) return rc;
  content.body_size = record.size;
  in_file = record.in_file;
  if (in_file) return 0;
  std::size_t rest = layout::rest(record.size);
  if (rest > value.size()) return MDB_CORRUPTED;
  std::string_view last = value.substr(value.size() - rest);
  content.body.reserve(record.size);
  if (record.size > rest) rc = read_pieces(txn, tables_.body, id, record.size - rest, content.body);
  if (rc != 0 && rc != MDB_NOTFOUND) return rc;
  content.body += last;
  po::Checksum sum;
  sum.add(content.body);
  return content.body.size() == record.size && sum.value() == record.checksum ? 0 : MDB_CORRUPTED;
}

// The file is opened after the transaction: it may have been unlinked in between, together with the rows,
// which a second look then shows. With a second round that finds rows but no file, the file is lost.
Result<Content> LmdbStore::read_content(std::optional<std::uint64_t> account, const MessageId& id) const {
  if (id == MessageId{}) return refused("there is no such message");
  for (int round = 0; round < 2; ++round) {
    Content content;
    bool in_file = false;
    mdb::Txn txn;
    int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
    if (rc == 0 && account) rc = read_prefix(txn.get(), *account, id, content);
    if (rc == MDB_NOTFOUND) return refused("there is no such message");
    if (rc == 0) rc = read_body(txn.get(), id, content, in_file);
    txn.reset();
    if (rc == MDB_NOTFOUND && !account) return refused("there is no such message");
    if (rc == MDB_CORRUPTED || rc == MDB_NOTFOUND) return tl::unexpected(damaged("message " + id.text()));
    if (rc != 0) return failed(rc, "cannot read a message");
    if (!in_file) return content;
    content.file = files_.open_kept(id);
    if (content.file) return content;
    if (errno != ENOENT) return tl::unexpected(disk_failure("cannot open the body of " + id.text(), errno));
  }
  return tl::unexpected(damaged("the file of message " + id.text() + " is missing"));
}

Result<Content> LmdbStore::read(std::uint64_t account, const MessageId& id) const {
  return read_content(account, id);
}

Result<Content> LmdbStore::body(const MessageId& id) const {
  return read_content(std::nullopt, id);
}

Result<Head> LmdbStore::head(const MessageId& id) const {
  auto found = find_record(id);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return refused("there is no such message");
  Head head;
  MessageRecord record;
  po::wire::Reader reader(**found);
  reader.get(record);
  reader.get(head.envelope);
  if (!reader.ok()) return tl::unexpected(damaged("message " + id.text()));
  head.size = record.size;
  head.arrival_ms = record.arrival_ms;
  return head;
}

Result<Usage> LmdbStore::usage(std::uint64_t account) const {
  mdb::Txn txn;
  std::string_view value;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = mdb::get(txn.get(), tables_.mailbox, layout::mailbox_key(account).view(), value);
  if (rc == MDB_NOTFOUND) return Usage{};
  if (rc != 0) return failed(rc, "cannot read a mailbox's size");
  layout::MailboxHead head;
  if (!po::wire::decode(value, head)) return tl::unexpected(damaged("the head of a mailbox"));
  return Usage{head.messages, head.octets};
}

/// The octets of the message's record; nothing if it is not stored.
Result<std::optional<std::string>> LmdbStore::find_record(const MessageId& id) const {
  mdb::Txn txn;
  std::string_view value;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = mdb::get(txn.get(), tables_.message, id.bytes(), value);
  if (rc == MDB_NOTFOUND) return std::nullopt;
  if (rc != 0) return failed(rc, "cannot look for a message");
  return std::string(value);
}

Result<bool> LmdbStore::is_stored(const MessageId& id) const {
  auto found = find_record(id);
  if (!found) return tl::unexpected(found.error());
  return found->has_value();
}

Result<bool> LmdbStore::names_file(const MessageId& id) const {
  auto found = find_record(id);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return false;
  MessageRecord record;
  if (!layout::read_record(**found, record)) return tl::unexpected(damaged("message " + id.text()));
  return record.in_file;
}

Result<Totals> LmdbStore::totals() const {
  mdb::Txn txn;
  mdb::Cursor cursor;
  std::string_view key, value;
  layout::TotalsRecord record;
  Totals totals;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = mdb::get(txn.get(), tables_.meta, layout::kTotalsKey, value);
  if (rc == 0 && !po::wire::decode(value, record)) rc = MDB_CORRUPTED;
  if (rc == 0) rc = mdb::open_cursor(txn.get(), tables_.message, cursor);
  if (rc == 0) rc = mdb::move(cursor.get(), MDB_FIRST, key, value);
  if (rc == 0) totals.oldest = layout::id_of(key);
  if (rc != 0 && rc != MDB_NOTFOUND) return failed(rc, "cannot read the store's totals");
  struct stat st {};
  if (::fstatat(root_.get(), "data.mdb", &st, AT_SYMLINK_NOFOLLOW) == 0) {
    totals.file_octets = static_cast<std::uint64_t>(st.st_size);
  }
  totals.messages = record.messages;
  totals.octets = record.octets;
  totals.mailboxes = record.mailboxes;
  totals.entries = record.entries;
  totals.waiting = record.waiting;
  return totals;
}

Result<ErrandMark> LmdbStore::errand_mark() const {
  mdb::Txn txn;
  std::string_view value;
  ErrandMark mark;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = mdb::get(txn.get(), tables_.meta, layout::kErrandKey, value);
  if (rc == MDB_NOTFOUND) return mark;
  if (rc != 0) return failed(rc, "cannot read how far errands came");
  if (!po::wire::decode(value, mark)) return tl::unexpected(damaged("the mark of errands"));
  return mark;
}

Result<std::uint64_t> LmdbStore::free_space() const {
  auto free = po::free_octets(root_.get());
  if (!free) return tl::unexpected(disk_failure("cannot see the free space", errno));
  return *free;
}

// ---- bodies in files

Result<Fd> LmdbStore::open_body(const MessageId& id) {
  auto stored = is_stored(id);
  if (!stored) return tl::unexpected(stored.error());
  if (*stored || id == MessageId{}) return refused("another message has this id");
  return files_.create(id);
}

Result<void> LmdbStore::keep_body(const MessageId& id, std::uint64_t size, std::uint64_t checksum) {
  return files_.keep(id, size, checksum);
}

void LmdbStore::drop_body(const MessageId& id) {
  files_.unlink_new(id);
  auto named = names_file(id);
  if (named && !*named) files_.unlink_kept(id);
}

}  // namespace store
