// What all pipes of queue share: store, threads, directory, log, and the counts that bound its memory. One
// object, made by Server, on the loop thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "lib/directory/reader.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/store/store.h"
#include "queue/acceptance.h"
#include "queue/body_keeper.h"
#include "queue/completions.h"
#include "queue/mailboxes.h"
#include "queue/routing.h"
#include "queue/writer.h"

namespace queue {

/// What Server is built from; a test passes its own.
struct Parts {
  const po::Loop& loop;
  po::Log& log;
  store::Store& store;
  po::messages::Key ticket_key;
  po::messages::Key order_key{};  ///< of the orders that wwwd brings
  std::string hostname;
  std::uint32_t incarnation = 0;  ///< the maker in the ids of what queue itself sends
  Routing routing;
  /// Of the directory, in order, the first ones behind a position; and how far the directory has come.
  std::function<po::Result<std::vector<directory::Errand>>(const directory::ErrandPosition&, std::size_t)>
      errands =
          [](const directory::ErrandPosition&, std::size_t) { return std::vector<directory::Errand>{}; };
  std::function<std::uint64_t()> generation = [] { return std::uint64_t{0}; };
  /// The built-in ones while they cannot be read; never null.
  std::function<std::shared_ptr<const directory::Settings>()> settings;
  std::function<std::uint64_t()> min_free_disk;  ///< octets; below it no message is taken
  std::function<std::uint64_t()> default_limit;  ///< of a mailbox, octets, 0: none
  std::function<void()> finished;                ///< the loop may end
  /// The store's state is unknown: must end the process, and does not return in the real one.
  std::function<void()> lost;
  std::chrono::milliseconds release_after = std::chrono::seconds(30);
};

class Office {
 public:
  explicit Office(Parts p);

  Parts parts;
  Completions completions;
  Writer writer;
  BodyKeeper bodies;
  Tickets tickets;

  // Counters since the start.
  std::uint64_t stored = 0, refused = 0;
  // What is on its way to the store.
  std::size_t octets_in_work = 0, changes_in_work = 0;
  std::size_t stuck = 0;  ///< changes among them that found no room, and are tried until they do

  /// A change of about so many octets in memory is on its way to the store; it has got there, or has failed.
  void begin_change(std::size_t octets = 0);
  void end_change(std::size_t octets = 0);
  /// Whether a job may begin: nothing that makes more changes, while those that are there cannot be written.
  [[nodiscard]] bool may_begin_job() const { return stuck == 0 && !too_much_work(); }
  /// The same of a walk over all that waits, which leaves half of the room to mail that comes in.
  [[nodiscard]] bool may_walk() const { return stuck == 0 && little_work(); }
  [[nodiscard]] bool too_much_work() const;
  [[nodiscard]] bool little_work() const;

  /// False: the disk is nearly full. Asks the file system once a second.
  [[nodiscard]] bool has_space();
  /// One line when space runs out and one when it is back, not one for each message.
  void note_space(bool there, std::string_view why);
  /// True if nothing may be promised or denied any more: a line in the log, and the end of the process. The
  /// next start reads what the last good commit left. (In a test the end is not one: then the caller answers
  /// nothing.)
  [[nodiscard]] bool lost(const store::Failure& failure);

 private:
  std::chrono::steady_clock::time_point space_asked_{};
  bool has_space_ = true, space_noted_ = true;
};

/// Milliseconds since 1970.
[[nodiscard]] std::uint64_t now_ms();

}  // namespace queue
