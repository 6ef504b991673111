// The files of large bodies under bodies/ (man/store.5): made empty for smtpd to write into, checked, synced,
// named, opened, unlinked, swept at start. What smtpd wrote is foreign, and it keeps its descriptor: a file
// is therefore never mapped (it could be truncated under the reader), and what is written after the check
// harms only that message.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lib/fd.h"
#include "lib/id.h"
#include "lib/store/store.h"

namespace store {

class BodyFiles {
 public:
  BodyFiles() = default;
  /// Opens `path`/bodies, makes it if missing.
  [[nodiscard]] static Result<BodyFiles> open(const std::string& path);

  [[nodiscard]] Result<po::Fd> create(const po::MessageId& id);
  [[nodiscard]] Result<void> keep(const po::MessageId& id, std::uint64_t size, std::uint64_t checksum);
  /// An invalid Fd with errno set if it cannot be opened.
  [[nodiscard]] po::Fd open_kept(const po::MessageId& id) const;
  void unlink_kept(const po::MessageId& id);
  void unlink_new(const po::MessageId& id);
  /// Unlinks all .new files, and all others for which `named` is false. Returns how many.
  [[nodiscard]] Result<std::size_t> sweep(const std::function<Result<bool>(const po::MessageId&)>& named);
  [[nodiscard]] int directory() const { return directory_.get(); }

 private:
  po::Fd directory_;
};

}  // namespace store
