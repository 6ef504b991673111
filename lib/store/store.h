// The store of messages and mailboxes, in the language of mail. queue owns it, one thread of it changes it
// (`apply`), any thread reads; bodies of large messages are files that a third thread checks. A caller never
// holds the store's memory and never needs two calls to be one: what belongs together is one Change.
// man/store.5 gives what the LMDB form of it (lmdb_store.h) writes; a distributed engine can be another form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <tuple>
#include <variant>
#include <vector>

#include "lib/fd.h"
#include "lib/id.h"
#include "lib/messages.h"

namespace store {

/// Why something was not done. There is no "done" here: that is a Result with a value.
enum class Status : std::uint8_t {
  kRefused,      ///< not done, and would not be done if asked again: the request is at fault
  kUnavailable,  ///< not done; may be done later (no space, read-only disk)
  kUnknown,      ///< perhaps done: only a new start of the process tells. Nothing may be promised or denied.
};

struct Failure {
  Status status = Status::kUnknown;
  bool no_space = false;  ///< unavailable because disk or map is full, or cannot be written
  std::string text;       ///< one sentence, no final full stop
};

template <class T>
using Result = tl::expected<T, Failure>;

/// What was said beside a message (man/store.5, table message).
struct Envelope {
  std::string sender;  ///< empty for <>
  std::uint8_t ret = 0;
  std::string envid;
  bool smtputf8 = false;
  bool body_8bit = false;
  std::string session;
  po::messages::NetAddress client;
  std::uint64_t account = 0;
  std::uint32_t local_uid = 0xffffffff;
  auto fields() {
    return std::tie(sender, ret, envid, smtputf8, body_8bit, session, client, account, local_uid);
  }
};

/// One mailbox that a message goes into.
struct Delivery {
  std::uint64_t account = 0;
  std::uint8_t notify = 0;
  std::string orcpt;
  std::string prefix;  ///< lines before the body, CRLF ended
};

/// What an attempt to deliver left behind.
struct Attempt {
  std::uint64_t at_ms = 0;
  std::string host;   ///< that was spoken to; empty: none
  std::string reply;  ///< its words or ours, one line
  auto fields() { return std::tie(at_ms, host, reply); }
};

/// A recipient that waits for a deliverer (man/store.5, table recipient). Address, original, orcpt and hop
/// have at most 1,500 octets together. Words of attempts that are too many for its row are cut.
struct Waiting {
  std::string address;   ///< where it goes: behind aliases and forwarding; not empty
  std::string original;  ///< what the client gave, if that was another address
  std::uint8_t notify = 0;
  std::string orcpt;
  std::string hop;            ///< key of its next hop: 1 to 300 octets without NUL
  std::uint8_t lane = 0;      ///< by sender: lanes of one hop are served in turn
  std::uint64_t next_ms = 0;  ///< not before this; the clock's milliseconds since 1970
  bool held = false;          ///< not tried until somebody releases it
  bool delay_told = false;    ///< its sender has heard that it is late
  bool by_hand = false;       ///< the Postmaster chose the hop: the routing table does not change it
  std::uint16_t attempts = 0;
  std::vector<Attempt> last;  ///< the newest attempts, oldest first; at most kMostAttempts are kept
  auto fields() {
    return std::tie(address, original, notify, orcpt, hop, lane, next_ms, held, delay_told, by_hand, attempts,
                    last);
  }
};
inline constexpr std::size_t kMostAttempts = 8;

/// A recipient of a message by its number, which it keeps while others of the message go.
struct RecipientKey {
  po::MessageId id;
  std::uint32_t n = 0;
  auto operator<=>(const RecipientKey&) const = default;
};

/// Keep this message, put it into these mailboxes, and have it wait for these recipients, all or nothing; one
/// of both lists has an entry. Idempotent: an id that is stored already, with the same size and checksum, is
/// done and changes nothing. An account named twice gets it once. `waiting` are numbered from 0. The value of
/// the result: 1 if it was written, 0 if it was there.
struct Accept {
  po::MessageId id;
  Envelope envelope;
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;  ///< lib/checksum.h
  std::uint64_t arrival_ms = 0;
  bool in_file = false;  ///< keep_body() was done for this id; `body` is empty
  std::string body;
  std::vector<Delivery> deliveries;
  std::vector<Waiting> waiting;
};

/// What became of recipients that waited, and the notices about it, all or nothing: a bounce is stored in the
/// transaction that takes away what it reports. Recipients that are not there (any more) are passed over; if
/// none of those named was there, the notices are not stored either. Without notices and without `later` it
/// finds space on a full disk too. With its last recipient and last mailbox the message goes, by a Release.
/// The value: how many recipients were there.
struct Settle {
  po::MessageId id;
  std::vector<std::uint32_t> gone;  ///< delivered, failed, removed
  struct Later {
    std::uint32_t n = 0;
    Waiting now;  ///< replaces the row; `due` follows
  };
  std::vector<Later> later;
  std::vector<Accept> notices;
  /// Mailboxes that the message goes into instead, if one of those named was there: the directory has changed
  /// since it came. One that has it already is passed over.
  std::vector<Delivery> deliveries = {};
};

/// Take these out of a mailbox. What is not there is no error. The value: how many there were.
struct Expunge {
  std::uint64_t account = 0;
  std::vector<po::MessageId> ids;
};

/// Work off what was expunged and settled, the oldest messages first: free what no mailbox and no recipient
/// names any more. The value: how many messages were worked off; less than `at_most` means that nothing is
/// left.
struct Release {
  std::size_t at_most = 128;
};

/// The place of an errand in the list of those that have to be done once each (lib/directory/errand.h).
struct ErrandMark {
  std::uint64_t generation = 0, number = 0;
  auto operator<=>(const ErrandMark&) const = default;
  auto fields() { return std::tie(generation, number); }
};

/// A step of an errand, all or nothing: takes messages out of the mailbox `empty`, the first ids first, into
/// the mailbox `into` with the lines that they have, or away. One that `into` has already is only taken out.
/// When no more are left, `messages` are stored, as for Accept, and in the same transaction the mark is
/// remembered. If it is the one that is remembered, the errand is done, and nothing is changed. The value: 1
/// if it is done, 0 if another step is to follow.
struct Errand {
  ErrandMark mark;
  std::uint64_t empty = 0;  ///< 0: none
  std::uint64_t into = 0;   ///< 0: away; else another mailbox than `empty`
  std::size_t at_most = 128;
  std::vector<Accept> messages = {};
};

using Change = std::variant<Accept, Expunge, Release, Settle, Errand>;

struct Item {
  po::MessageId id;
  std::uint64_t size = 0;  ///< prefix and body
};

struct Content {
  std::string prefix;
  std::string body;  ///< whole, or empty and
  po::Fd file;       ///< the body's file, read-only
  std::uint64_t body_size = 0;
};

struct Usage {
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;
};

struct Totals {
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;       ///< of bodies, each counted once
  std::uint64_t mailboxes = 0;    ///< that hold something
  std::uint64_t entries = 0;      ///< in all mailboxes
  std::uint64_t waiting = 0;      ///< recipients that wait for a deliverer, held ones too
  std::uint64_t file_octets = 0;  ///< size of the table file
  po::MessageId oldest;           ///< zero if there is none
};

/// A message without its body.
struct Head {
  std::uint64_t size = 0;
  std::uint64_t arrival_ms = 0;
  Envelope envelope;
};

struct WaitingRow {
  RecipientKey key;
  Waiting row;
};

struct DueRow {
  RecipientKey key;
  std::uint8_t lane = 0;
  std::uint64_t next_ms = 0;
};

struct Due {
  std::vector<DueRow> rows;
  bool more = false;          ///< more is due than was asked for
  std::uint64_t next_ms = 0;  ///< when the first one is due that is not yet; 0: there is none
};

struct HopHead {
  std::string hop;
  std::uint64_t next_ms = 0;  ///< when the first of its recipients is due
};

/// Every call is a whole: nothing is held between two calls. `apply` is called by one thread; the body
/// functions by any, but for one id by one at a time; the others by any.
class Store {
 public:
  virtual ~Store() = default;

  /// All changes in one durable transaction, in their order; one result each. A change that is refused or
  /// finds no space does not harm the others. When this returns, what is done has been synced.
  [[nodiscard]] virtual std::vector<Result<std::uint64_t>> apply(std::span<const Change> changes) = 0;

  /// At most `limit` messages with ids above `after` (a zero id: from the first), by id.
  [[nodiscard]] virtual Result<std::vector<Item>> list(std::uint64_t account, const po::MessageId& after,
                                                       std::size_t limit) const = 0;
  /// The `limit` youngest, youngest first.
  [[nodiscard]] virtual Result<std::vector<Item>> newest(std::uint64_t account, std::size_t limit) const = 0;
  /// Refused: it is not in that mailbox.
  [[nodiscard]] virtual Result<Content> read(std::uint64_t account, const po::MessageId& id) const = 0;
  [[nodiscard]] virtual Result<Usage> usage(std::uint64_t account) const = 0;
  [[nodiscard]] virtual Result<bool> is_stored(const po::MessageId& id) const = 0;
  [[nodiscard]] virtual Result<Totals> totals() const = 0;
  /// Of the last errand that was done; zero: none ever was.
  [[nodiscard]] virtual Result<ErrandMark> errand_mark() const = 0;

  // ---- what waits for deliverers
  /// Refused: no such message.
  [[nodiscard]] virtual Result<Head> head(const po::MessageId& id) const = 0;
  /// The body, whole or as a read-only file; `prefix` is empty. Refused: no such message.
  [[nodiscard]] virtual Result<Content> body(const po::MessageId& id) const = 0;
  /// Next hops that have a recipient that is not held, by name, those after `after`; at most `limit`. Costs
  /// by the hops, not by the recipients.
  [[nodiscard]] virtual Result<std::vector<HopHead>> hops(std::string_view after,
                                                          std::size_t limit) const = 0;
  /// Recipients of a hop that are due at `now_ms`, in turn from its lanes, in each lane the longest due
  /// first; without those that `taken` knows, which count as their lane's turns. Which lane begins changes
  /// with `now_ms`. Costs by the lanes and what is returned or taken.
  [[nodiscard]] virtual Result<Due> due(std::string_view hop, std::uint64_t now_ms, std::size_t limit,
                                        const std::function<bool(const RecipientKey&)>& taken) const = 0;
  /// Of one message, from number `from` on.
  [[nodiscard]] virtual Result<std::vector<WaitingRow>> waiting(const po::MessageId& id, std::uint32_t from,
                                                                std::size_t limit) const = 0;
  /// Of all messages, the oldest first, those after `after` (a zero id: from the first).
  [[nodiscard]] virtual Result<std::vector<WaitingRow>> all_waiting(const RecipientKey& after,
                                                                    std::size_t limit) const = 0;

  /// Octets that the file system still has for this user.
  [[nodiscard]] virtual Result<std::uint64_t> free_space() const = 0;

  /// A new empty file for the body of a message that is not stored, open for writing.
  [[nodiscard]] virtual Result<po::Fd> open_body(const po::MessageId& id) = 0;
  /// The body has been written: compares size and checksum, makes it last. To be followed by an Accept with
  /// `in_file`, or drop_body. Takes as long as the disk takes.
  [[nodiscard]] virtual Result<void> keep_body(const po::MessageId& id, std::uint64_t size,
                                               std::uint64_t checksum) = 0;
  /// Removes the file of a body that no message will have. Does nothing if a stored message has it.
  virtual void drop_body(const po::MessageId& id) = 0;
};

}  // namespace store
