// Message headers: a scan that rides along while the content streams in (it holds a field name and the
// Message-ID, never more), and the few changes that submission makes: the From field by From-Address-Rewrite,
// a Date, a Message-ID. The content is hostile and is never otherwise judged or repaired. Pure; callers:
// smtpd, and whoever writes mail of the suite's own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/address.h"
#include "lib/error.h"

namespace po {

/// Follows content with CRLF line ends, cut in any way, until its header is over.
class HeaderScanner {
 public:
  enum class Field : std::uint8_t {
    kReceived,
    kReturnPath,
    kDate,
    kFrom,
    kSender,
    kReplyTo,
    kTo,
    kCc,
    kBcc,
    kMessageId,
    kSubject,
  };
  static constexpr std::size_t kFields = 11;
  enum class End : std::uint8_t {
    kNotYet,     ///< more content is needed
    kBlankLine,  ///< an empty line, which counts to the header
    kNotAField,  ///< a line that is no header field: the body begins with it, without a blank line
    kContent,    ///< the content ended within the header
  };

  /// Takes content; what comes after the end of the header is ignored.
  void feed(std::string_view piece);
  /// Says that the content is over.
  void finish();

  [[nodiscard]] End end() const { return end_; }
  [[nodiscard]] bool ended() const { return end_ != End::kNotYet; }
  /// Octets of the header so far; after the end: with its blank line, if there is one. 0 with kNotAField: the
  /// message has no header at all.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// How often the field occurs.
  [[nodiscard]] std::uint32_t count(Field f) const { return counts_[static_cast<std::size_t>(f)]; }
  [[nodiscard]] bool has(Field f) const { return count(f) > 0; }
  /// What the first Message-ID field says, for the log: unfolded, cut to kMostMessageId octets; empty if it
  /// holds anything but printable ASCII without blanks.
  [[nodiscard]] std::string_view message_id() const;
  static constexpr std::size_t kMostMessageId = 250;

 private:
  enum class State : std::uint8_t { kLineStart, kName, kAfterName, kSkipLine, kCrAtStart };
  void take(char c);
  void start_line(char c);
  void end_name();
  void keep_value(std::string_view part);
  void end_as(End end, std::uint64_t size);

  State state_ = State::kLineStart;
  End end_ = End::kNotYet;
  std::uint64_t size_ = 0;        ///< octets taken
  std::uint64_t line_start_ = 0;  ///< where the current line begins
  std::array<char, 16> name_{};   ///< longest name of interest and one more
  std::size_t name_size_ = 0;     ///< may exceed name_: an unknown name
  std::array<std::uint32_t, kFields> counts_{};
  bool in_message_id_ = false;
  std::string message_id_;
};

/// From-Address-Rewrite (the values are those of directory::FromRewrite).
enum class FromStyle : std::uint8_t {
  kNone = 0,     ///< as it was
  kComment = 1,  ///< janie@podunk.edu (Janie Lee)
  kQuoted = 2,   ///< "Janie Lee" <janie@podunk.edu>
};

/// The value of a From field for this person, folded (CRLF and a space) where long, the name in RFC 2047
/// form if it is not plain ASCII. `address` is canonical. With kNone: the address alone.
[[nodiscard]] std::string from_value(FromStyle style, std::string_view real_name, std::string_view address);

/// `header` is a header block with CRLF line ends, with or without its blank line. The value of its From
/// field is replaced by from_value(); further From fields, which RFC 5322 forbids and by which readers could
/// be shown another author, are dropped; if there is none, one is added. kNone changes nothing.
[[nodiscard]] std::string rewrite_from(std::string_view header, FromStyle style, std::string_view real_name,
                                       std::string_view address);

/// The authors of a header block: the mailboxes of its one From field. Tolerant of comments, quoted strings,
/// groups, routes and the obsolete forms of RFC 5322 section 4, but whatever is not surely understood is a
/// failure, because "may this user write as these?" is decided by it: no From field or two, an empty list, an
/// octet that cannot be there. The domain of a mailbox is empty if none was written.
[[nodiscard]] Result<std::vector<Mailbox>> from_addresses(std::string_view header);
struct ListRules {
  std::size_t most = 100;     ///< mailboxes; one more is a failure
  bool may_be_empty = false;  ///< "", "undisclosed-recipients:;"
};
/// The same for the value of one address field, or another list of that kind.
[[nodiscard]] Result<std::vector<Mailbox>> parse_address_list(std::string_view value, ListRules rules = {});

/// `value` with "@domain" behind every address that has none. What is not understood stays as it is.
[[nodiscard]] std::string complete_address_list(std::string_view value, std::string_view domain);
/// The same for From, Sender, Reply-To, To, Cc and their Resent- forms in a header block, with or without its
/// blank line.
[[nodiscard]] std::string complete_addresses(std::string_view header, std::string_view domain);

/// "Mon, 23 Nov 2026 02:28:02 +0000" (RFC 5322 3.3), in UTC or as far from it as `offset_minutes` says.
[[nodiscard]] std::string format_date(std::int64_t seconds, int offset_minutes = 0);
/// "<id@host>"
[[nodiscard]] std::string make_message_id(std::string_view id, std::string_view host);

}  // namespace po
