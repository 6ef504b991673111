// The notices that a sender is owed, as messages to be stored: their text by bounce.h, their way by the
// directory, as for any mail. Whoever cannot be told, because there is no sender or the sender's address
// leads nowhere, is replaced by the Postmaster, whose mailbox is always here: so no bounce answers a bounce.
// Callers: Deliveries, Aging, Submissions, Errands.
#pragma once

#include <string_view>
#include <vector>

#include "lib/id.h"
#include "lib/store/store.h"
#include "queue/bounce.h"
#include "queue/office.h"

namespace queue {

class Notices {
 public:
  explicit Notices(Office& office) : office_(office), ids_(office.parts.incarnation) {}

  /// One or more for each action among the reports; each has an id of its own. A mail loop is told to the
  /// Postmaster as well. Fails if the store or the directory cannot be read now.
  [[nodiscard]] po::Result<std::vector<store::Accept>> make(const po::MessageId& id, const store::Head& head,
                                                            std::vector<Report> reports);
  /// A message without a sender into the mailbox of an account that has this address.
  [[nodiscard]] static store::Accept to_mailbox(const po::MessageId& id, NoticeText text,
                                                std::uint64_t account, std::string_view address);
  /// A message without a sender to an address of ours, wherever that leads; to nobody, if it leads nowhere.
  /// Fails if the directory cannot be read now.
  [[nodiscard]] po::Result<store::Accept> to_address(const po::MessageId& id, NoticeText text,
                                                     const std::string& address) const;
  [[nodiscard]] store::Accept to_postmaster(const po::MessageId& id, NoticeText text) const;
  [[nodiscard]] po::MessageId next_id();

 private:
  struct Address {
    std::string sender;                         ///< empty: the Postmaster
    const ForPostmaster* postmaster = nullptr;  ///< is told instead
    directory::Resolution found;
  };
  [[nodiscard]] po::Result<Address> address(const store::Head& head) const;
  [[nodiscard]] po::Result<store::Accept> notice(const Original& original, std::span<const Report> reports,
                                                 const Address& to);
  [[nodiscard]] po::Result<store::Accept> routed(const po::MessageId& id, NoticeText text,
                                                 const std::string& address,
                                                 const directory::Resolution& found) const;
  [[nodiscard]] Style style() const;

  Office& office_;
  po::IdMaker ids_;
};

/// Of the body of a message, whole or its file, at most `most` octets from the beginning; fewer if the file
/// is shorter than it should be.
[[nodiscard]] po::Result<std::string> beginning_of(const store::Content& content, std::size_t most);

}  // namespace queue
