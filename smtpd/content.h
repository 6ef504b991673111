// One message under way: the trace field and the content behind it, as they will be stored. Holds at most
// messages::kSmallBody octets and one piece of input; what is larger goes out in spills to a file that queue
// gave. Once refused it takes the rest and forgets it, so that the session stays in step with the client.
// Pure. Caller: the session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/checksum.h"
#include "lib/dot_decoder.h"
#include "lib/header.h"
#include "smtpd/reply.h"

namespace smtpd {

class Content {
 public:
  static constexpr std::uint32_t kMaxReceived = 100;          ///< RFC 5321 6.3
  static constexpr std::uint64_t kMaxHeldHeader = 64 * 1024;  ///< of a message that is submitted

  /// `max_size`: of the content without `trace`, 0: none. `hold_header`: nothing spills before the header
  /// is complete and replace_header() was called.
  void begin(std::string trace, std::uint64_t max_size, bool hold_header);
  /// Where new content is appended, then told by took().
  [[nodiscard]] std::string& sink() { return buffer_; }
  void took(const po::ContentFaults& faults);
  /// No more comes.
  void finish();

  [[nodiscard]] bool header_waits() const { return hold_header_ && scanner_.ended() && !refusal(); }
  [[nodiscard]] std::string_view header() const;
  [[nodiscard]] const po::HeaderScanner& scanner() const { return scanner_; }
  void replace_header(std::string_view header);

  /// Why it cannot be taken, as far as is known. What is told does not depend on how the input was cut.
  [[nodiscard]] std::optional<Refusal> refusal() const;
  void refuse_header(Refusal why) { header_refusal_ = std::move(why); }
  /// It cannot be stored now.
  void refuse_storage(Refusal why) { storage_refusal_ = std::move(why); }

  /// Octets of content that came, without the trace.
  [[nodiscard]] std::uint64_t received() const { return received_; }
  /// Larger than a frame may carry: the next octets belong into a file.
  [[nodiscard]] bool must_spill() const;
  /// The octets that were not spilled yet.
  [[nodiscard]] std::string spill();
  /// Of all that was spilled, trace included.
  [[nodiscard]] std::uint64_t size() const { return spilled_; }
  [[nodiscard]] std::uint64_t checksum() const { return checksum_.value(); }

 private:
  void drop_if_refused();

  std::string buffer_;
  std::size_t seen_ = 0;  ///< octets of buffer_ that took() knows
  std::size_t trace_size_ = 0;
  std::uint64_t max_size_ = 0;
  std::uint64_t received_ = 0;  ///< octets of content that came
  std::uint64_t spilled_ = 0;
  bool hold_header_ = false;
  bool header_too_large_ = false;
  bool in_file_ = false;
  po::HeaderScanner scanner_;
  po::Checksum checksum_;
  po::ContentFaults faults_;
  std::optional<Refusal> header_refusal_, storage_refusal_;
};

}  // namespace smtpd
