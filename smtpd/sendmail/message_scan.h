// The message on standard input of sendmail -> the message as it is submitted: every line ends with CRLF, no
// CR or NUL stands alone, and the header is taken apart so that recipients can be read from it, Bcc removed
// and what is missing added. The input is whatever a script printed; however it is cut, the result is the
// same. The header is bounded, a line of the body is not. Pure. Callers: main, the fuzzer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/address.h"
#include "lib/error.h"

namespace sendmail {

/// A header field with its continuation lines, CRLF ended.
struct Field {
  std::string whole;
  std::size_t name_size = 0;
  [[nodiscard]] std::string_view name() const { return std::string_view(whole).substr(0, name_size); }
  /// Still folded, without the last line end.
  [[nodiscard]] std::string_view value() const;
  [[nodiscard]] bool is(std::string_view lower_case_name) const;
};

class MessageScan {
 public:
  /// Octets of the header; smtpd takes 64 KiB of a submitted one.
  static constexpr std::size_t kMaxHeader = 60 * 1024;

  /// `dot_ends`: a line that holds nothing but a dot is the end.
  explicit MessageScan(bool dot_ends) : dot_ends_(dot_ends) {}

  /// Takes input; what belongs to the body is appended to `body`. After the end all is ignored.
  void feed(std::string_view in, std::string& body);
  /// No more comes. A last line without its end gets one.
  void finish(std::string& body);

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool header_too_large() const { return header_too_large_; }
  /// Valid after finish().
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  /// An octet over 127 came, in header or body.
  [[nodiscard]] bool eight_bit() const { return eight_bit_; }

 private:
  void text(std::string_view run, std::string& body);
  void append(std::string_view run, std::string& body);
  void line_end(std::string& body);
  void judge_line(std::string& body);
  [[nodiscard]] bool is_field_line() const { return name_size_ != 0 || continuation_; }
  void field_line_end();
  void into_body(std::string& body);

  bool dot_ends_;
  bool ended_ = false;
  bool in_header_ = true;
  bool first_line_ = true;
  bool header_too_large_ = false;
  bool eight_bit_ = false;
  bool cr_ = false;            ///< CR came, it is not known yet what follows
  bool at_start_ = true;       ///< of a line
  bool dot_held_ = false;      ///< the line so far is one dot
  bool skip_line_ = false;     ///< an envelope line of a mailbox file
  std::size_t name_size_ = 0;  ///< of the field in line_, once its colon came
  bool continuation_ = false;
  std::string line_;  ///< of the header, so far
  std::size_t header_size_ = 0;
  std::vector<Field> fields_;
};

/// The addresses of To, Cc and Bcc, or, if the message has any Resent- field, of Resent-To, Resent-Cc and
/// Resent-Bcc. Permanent failure with a sentence that names the field which cannot be understood.
[[nodiscard]] po::Result<std::vector<po::Mailbox>> header_recipients(const std::vector<Field>& fields);

/// What goes into fields that are missing.
struct Additions {
  std::string from;        ///< value of From
  std::string date;        ///< value of Date
  std::string message_id;  ///< with its angle brackets
};

/// The header to be sent, with its blank line: without Bcc, Resent-Bcc, Return-Path and Content-Length (they
/// are for the way before us, or nobody's business), with From, Date and Message-ID, or, if it has any
/// Resent- field, Resent-From, Resent-Date and Resent-Message-ID as well.
[[nodiscard]] std::string finished_header(const std::vector<Field>& fields, const Additions& additions);
[[nodiscard]] bool has_field(const std::vector<Field>& fields, std::string_view lower_case_name);
/// Whether the message is sent on with Resent- fields (RFC 5322 3.6.6).
[[nodiscard]] bool is_resent(const std::vector<Field>& fields);

}  // namespace sendmail
