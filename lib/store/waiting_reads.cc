// LmdbStore: what waits for deliverers, as a scheduler and those who look at the queue ask for it.
#include <algorithm>

#include "lib/store/failure.h"
#include "lib/store/layout.h"
#include "lib/store/lmdb_store.h"

namespace store {

using layout::DueParts;
using po::MessageId;

namespace {

/// The least octets that are above all that begin with `prefix`, which must end in something below 0xff.
std::string above(std::string prefix) {
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

/// All rows of a hop begin so: no name of a hop holds a NUL, so those of "a" are not those of "a.b".
std::string hop_prefix(std::string_view hop) {
  return std::string(hop) + '\0';
}

std::string lane_prefix(std::string_view hop, unsigned lane) {
  return hop_prefix(hop) + static_cast<char>(lane);
}

/// In `hop`, the first row of `lane` or of a later one that is due at `from_ms` or later.
std::string lane_start(std::string_view hop, unsigned lane, std::uint64_t from_ms) {
  std::string start = lane_prefix(hop, lane);
  start.resize(start.size() + 8);
  layout::put_big_endian(&start[start.size() - 8], from_ms, 8);
  return start;
}

/// A cursor on the keys of `due`.
class DueCursor {
 public:
  int open(MDB_txn* txn, MDB_dbi table) { return mdb::open_cursor(txn, table, cursor_); }
  /// To the first row whose key is not below `key`; MDB_NOTFOUND: there is none.
  int seek(std::string_view key) {
    key_ = key;
    return arrived(mdb::move(cursor_.get(), key.empty() ? MDB_FIRST : MDB_SET_RANGE, key_, value_));
  }
  int next() { return arrived(mdb::move(cursor_.get(), MDB_NEXT, key_, value_)); }
  /// Behind all rows of the lane that it stands in. A few steps first: most lanes are short.
  int next_lane() {
    std::string lane = lane_prefix(parts_.hop, parts_.lane);
    for (int steps = 0; steps < 4; ++steps) {
      int rc = next();
      if (rc != 0 || !key_.starts_with(lane)) return rc;
    }
    return seek(parts_.lane < 255 ? above(lane) : above(hop_prefix(parts_.hop)));
  }
  [[nodiscard]] const DueParts& at() const { return parts_; }
  [[nodiscard]] RecipientKey recipient() const { return {parts_.id, parts_.n}; }

 private:
  int arrived(int rc) { return rc == 0 && !layout::read_due_key(key_, parts_) ? MDB_CORRUPTED : rc; }

  mdb::Cursor cursor_;
  std::string_view key_, value_;
  DueParts parts_;
};

using Taken = std::function<bool(const RecipientKey&)>;

/// One lane of one hop, read from its longest due row on.
class Lane {
 public:
  Lane(std::string_view hop, std::uint64_t now_ms, const Taken& taken)
      : hop_(hop), now_ms_(now_ms), taken_(&taken) {}

  /// Finds the first lane of the hop from `number` on; MDB_NOTFOUND: there is none.
  int find(MDB_txn* txn, MDB_dbi table, unsigned number) {
    int rc = cursor_.open(txn, table);
    if (rc == 0) rc = cursor_.seek(lane_prefix(hop_, number));
    if (rc == 0 && cursor_.at().hop != hop_) rc = MDB_NOTFOUND;
    if (rc != 0) return rc;
    number_ = cursor_.at().lane;
    return pass_taken();
  }
  [[nodiscard]] unsigned number() const { return number_; }
  /// It stands on a row that is due and not taken.
  [[nodiscard]] bool is_due() const { return inside_ && cursor_.at().next_ms <= now_ms_; }
  /// Rows that it had to give: returned now, or taken before.
  [[nodiscard]] std::size_t turns() const { return turns_; }
  [[nodiscard]] DueRow row() const { return {cursor_.recipient(), cursor_.at().lane, cursor_.at().next_ms}; }
  /// For another lane of the same hop.
  [[nodiscard]] Lane again() const { return {hop_, now_ms_, *taken_}; }
  int advance() {
    ++turns_;
    int rc = step(cursor_.next());
    return rc == 0 ? pass_taken() : rc;
  }
  /// When its first row is due that is not yet, 0: it has none. It then stands there.
  int first_later(std::uint64_t& next_ms) {
    next_ms = 0;
    int rc = is_due() ? pass_due() : 0;
    if (rc == 0) rc = pass_taken();
    if (rc == 0 && inside_) next_ms = cursor_.at().next_ms;
    return rc;
  }

 private:
  int step(int rc) {
    inside_ = rc == 0 && cursor_.at().hop == hop_ && cursor_.at().lane == number_;
    return rc == MDB_NOTFOUND ? 0 : rc;
  }
  int pass_due() {
    if (now_ms_ == UINT64_MAX) return step(MDB_NOTFOUND);
    return step(cursor_.seek(lane_start(hop_, number_, now_ms_ + 1)));
  }
  int pass_taken() {
    int rc = 0;
    for (; rc == 0 && inside_ && (*taken_)(cursor_.recipient()); rc = step(cursor_.next())) ++turns_;
    return rc;
  }

  std::string_view hop_;
  std::uint64_t now_ms_;
  const Taken* taken_;
  DueCursor cursor_;
  unsigned number_ = 0;
  bool inside_ = true;
  std::size_t turns_ = 0;
};

int open_lanes(MDB_txn* txn, MDB_dbi table, const Lane& unopened, std::vector<Lane>& lanes) {
  for (unsigned number = 0; number <= 255;) {
    Lane lane = unopened.again();
    int rc = lane.find(txn, table, number);
    if (rc != 0) return rc == MDB_NOTFOUND ? 0 : rc;
    number = lane.number() + 1;
    lanes.push_back(std::move(lane));
  }
  return 0;
}

/// Takes turns until `limit` rows are there or nothing is due: always the lane that has had the fewest.
int take_turns(std::vector<Lane>& lanes, std::size_t limit, Due& due) {
  for (;;) {
    Lane* next = nullptr;
    for (Lane& lane : lanes) {
      if (lane.is_due() && (next == nullptr || lane.turns() < next->turns())) next = &lane;
    }
    due.more = next != nullptr;
    if (next == nullptr || due.rows.size() >= limit) return 0;
    due.rows.push_back(next->row());
    if (int rc = next->advance(); rc != 0) return rc;
  }
}

int find_next_time(std::vector<Lane>& lanes, std::uint64_t& next_ms) {
  next_ms = 0;
  for (Lane& lane : lanes) {
    std::uint64_t later = 0;
    if (int rc = lane.first_later(later); rc != 0) return rc;
    if (later != 0 && (next_ms == 0 || later < next_ms)) next_ms = later;
  }
  return 0;
}

/// The earliest time of the hop that `cursor` stands at the beginning of; then it stands behind that hop.
int read_hop(DueCursor& cursor, HopHead& head) {
  head = {std::string(cursor.at().hop), cursor.at().next_ms};
  int rc = 0;
  while (rc == 0 && cursor.at().hop == head.hop) {
    head.next_ms = std::min(head.next_ms, cursor.at().next_ms);
    rc = cursor.next_lane();
  }
  return rc;
}

}  // namespace

Result<std::vector<HopHead>> LmdbStore::hops(std::string_view after, std::size_t limit) const {
  mdb::Txn txn;
  DueCursor cursor;
  std::vector<HopHead> hops;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = cursor.open(txn.get(), tables_.due);
  if (rc == 0) rc = cursor.seek(after.empty() ? std::string() : above(hop_prefix(after)));
  while (rc == 0 && hops.size() < limit) rc = read_hop(cursor, hops.emplace_back());
  if (rc == MDB_CORRUPTED) return tl::unexpected(damaged("the table due"));
  if (rc != 0 && rc != MDB_NOTFOUND) return failed(rc, "cannot list next hops");
  return hops;
}

// Where the turns begin moves with the clock: with more lanes than `limit`, those of the first numbers would
// otherwise be the only ones that are ever served.
Result<Due> LmdbStore::due(std::string_view hop, std::uint64_t now_ms, std::size_t limit,
                           const Taken& taken) const {
  mdb::Txn txn;
  std::vector<Lane> lanes;
  Due due;
  if (hop.empty() || hop.size() > layout::kMaxHop) return due;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = open_lanes(txn.get(), tables_.due, Lane(hop, now_ms, taken), lanes);
  if (!lanes.empty()) {
    std::rotate(lanes.begin(), lanes.begin() + static_cast<std::ptrdiff_t>(now_ms % lanes.size()),
                lanes.end());
  }
  if (rc == 0) rc = take_turns(lanes, limit, due);
  if (rc == 0) rc = find_next_time(lanes, due.next_ms);
  if (rc == MDB_CORRUPTED) return tl::unexpected(damaged("the table due"));
  if (rc != 0) return failed(rc, "cannot see what is due");
  return due;
}

/// Rows from `start` on; only those of message `of`, if it is given.
Result<std::vector<WaitingRow>> LmdbStore::read_waiting(std::string_view start, std::size_t limit,
                                                        const MessageId* of) const {
  mdb::Txn txn;
  mdb::Cursor cursor;
  std::vector<WaitingRow> rows;
  std::string_view key = start, value;
  int rc = mdb::begin(env_.get(), MDB_RDONLY, txn);
  if (rc == 0) rc = mdb::open_cursor(txn.get(), tables_.recipient, cursor);
  for (MDB_cursor_op op = MDB_SET_RANGE; rc == 0 && rows.size() < limit; op = MDB_NEXT) {
    rc = mdb::move(cursor.get(), op, key, value);
    if (rc != 0 || (of != nullptr && !key.starts_with(of->bytes()))) break;
    WaitingRow& row = rows.emplace_back();
    if (key.size() != 16 || !po::wire::decode(value, row.row)) {
      return tl::unexpected(damaged("the table recipient"));
    }
    row.key = {layout::id_of(key), static_cast<std::uint32_t>(layout::read_big_endian(key.substr(12)))};
  }
  if (rc != 0 && rc != MDB_NOTFOUND) return failed(rc, "cannot read recipients");
  return rows;
}

Result<std::vector<WaitingRow>> LmdbStore::waiting(const MessageId& id, std::uint32_t from,
                                                   std::size_t limit) const {
  return read_waiting(layout::recipient_key(id, from).view(), limit, &id);
}

Result<std::vector<WaitingRow>> LmdbStore::all_waiting(const RecipientKey& after, std::size_t limit) const {
  auto start = layout::recipient_key(after.id, after.n);
  if (after.id != MessageId{}) layout::add_one(start);
  return read_waiting(start.view(), limit, nullptr);
}

}  // namespace store
