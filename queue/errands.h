// What changes of accounts leave to be done with mailboxes (lib/directory/errand.h): mail of a removed
// account is deleted or handed over, a new account is greeted. Worked off in order, one at a time, in bounded
// steps between other work; how far it came the store remembers with the last step of each, so that neither a
// crash nor a new start repeats or leaves out any. Looks at the directory at the start, when it has changed,
// and once a minute. Caller: Server, on the loop.
#pragma once

#include <optional>

#include "lib/directory/errand.h"
#include "lib/loop.h"
#include "queue/deliveries.h"
#include "queue/office.h"

namespace queue {

class Errands {
 public:
  Errands(Office& office, Deliveries& deliveries);
  /// The directory has changed.
  void look();
  void stop();

  static constexpr std::size_t kStep = 256;  ///< messages taken out of a mailbox in one transaction

 private:
  void step();
  [[nodiscard]] bool find_place();
  void carry_out(const directory::Errand& errand);
  [[nodiscard]] po::Result<store::Errand> change_for(const directory::Errand& errand);
  [[nodiscard]] po::Result<store::Accept> greeting(const directory::Account& account);
  void write(const directory::Errand& errand, store::Errand change);
  /// `bare`: it was only to be remembered as done.
  void on_refused(const directory::Errand& errand, bool bare, std::string_view why);
  void on_done(const directory::Errand& errand, const po::MessageId& greeting);
  void try_again(std::string_view why);

  Office& office_;
  Deliveries& deliveries_;
  std::optional<directory::ErrandPosition> after_;  ///< nothing: not asked of the store yet
  bool writing_ = false, stopped_ = false;
  po::Event next_;
};

}  // namespace queue
