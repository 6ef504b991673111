// Answers queries from the account database, and from nothing else: no file of a user, no process of the
// host. An account that does not allow finger is answered as one that does not exist; a locked one as any
// other: its mail still arrives. Caller: Connection.
#pragma once

#include <cstdint>
#include <string>

#include "fingerd/query.h"
#include "lib/directory/reader.h"

namespace fingerd {

struct Answer {
  std::string text;           ///< whole lines
  const char* outcome;        ///< one word for the log
  std::uint64_t account = 0;  ///< that was shown
  bool given = false;         ///< the client got what it asked for
};

class Desk {
 public:
  /// Accounts that are looked at for one list: those that do not allow finger cost time too.
  static constexpr std::size_t kMostLookedAt = 10'000;

  /// `reader` is not owned. `hostname`: this host's, in lower case.
  Desk(const directory::Reader& reader, std::string hostname)
      : reader_(reader), hostname_(std::move(hostname)) {}

  /// `query` is not kBad. Where the directory cannot be read, the answer says so.
  [[nodiscard]] Answer answer(const Query& query, const directory::Settings& settings) const;

 private:
  [[nodiscard]] Answer person(const Query& query, const std::string& domain) const;
  [[nodiscard]] Answer list(const Query& query, const std::string& domain, bool allowed) const;
  [[nodiscard]] po::Result<Answer> all_accounts() const;

  const directory::Reader& reader_;
  std::string hostname_;
};

}  // namespace fingerd
