#include "smtpd/content.h"

#include <utility>

#include "lib/messages.h"

namespace smtpd {

void Content::begin(std::string trace, std::uint64_t max_size, bool hold_header) {
  *this = Content();
  buffer_ = std::move(trace);
  seen_ = trace_size_ = buffer_.size();
  max_size_ = max_size;
  hold_header_ = hold_header;
}

void Content::took(const po::ContentFaults& faults) {
  std::string_view fresh = std::string_view(buffer_).substr(seen_);
  received_ += fresh.size();
  faults_ = faults;
  if (!scanner_.ended()) scanner_.feed(fresh);
  seen_ = buffer_.size();
  if (hold_header_ && scanner_.size() > kMaxHeldHeader) header_too_large_ = true;
  drop_if_refused();
}

void Content::finish() {
  if (!scanner_.ended()) scanner_.finish();
}

std::string_view Content::header() const {
  return std::string_view(buffer_).substr(trace_size_, scanner_.size());
}

void Content::replace_header(std::string_view header) {
  std::string whole;
  std::string_view body = std::string_view(buffer_).substr(trace_size_ + scanner_.size());
  whole.reserve(trace_size_ + header.size() + body.size());
  whole.append(buffer_, 0, trace_size_).append(header).append(body);
  buffer_ = std::move(whole);
  seen_ = buffer_.size();
  hold_header_ = false;
}

// The order is fixed, and each condition, once true, stays true: whatever the cuts, the same reason is told.
std::optional<Refusal> Content::refusal() const {
  if (faults_.bare_cr || faults_.bare_lf) return replies::kBareInContent;
  if (faults_.nul) return replies::kNulInContent;
  if (max_size_ != 0 && received_ > max_size_) return replies::kTooLarge;
  if (scanner_.count(po::HeaderScanner::Field::kReceived) > kMaxReceived) return replies::kLoop;
  if (header_too_large_) return replies::kHeaderTooLarge;
  if (header_refusal_) return header_refusal_;
  return storage_refusal_;
}

void Content::drop_if_refused() {
  if (!refusal()) return;
  buffer_.clear();
  seen_ = 0;
}

bool Content::must_spill() const {
  if (hold_header_ || refusal()) return false;
  return in_file_ ? !buffer_.empty() : buffer_.size() > po::messages::kSmallBody;
}

std::string Content::spill() {
  in_file_ = spilled_ != 0 || buffer_.size() > po::messages::kSmallBody;
  checksum_.add(buffer_);
  spilled_ += buffer_.size();
  seen_ = 0;
  return std::exchange(buffer_, {});
}

}  // namespace smtpd
