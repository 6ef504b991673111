// What a form is: a name, sections, and fields with their types, limits, rights and help. Each form of the
// system is declared once (lib/form/forms.h); text, JSON, the web page and the checks all come from that
// declaration. Pure data; no form knows how it is stored.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace form {

enum class Type : std::uint8_t {
  kText,      ///< one line, UTF-8, no control characters
  kPassword,  ///< never shown; may be given twice, then both must agree
  kAddress,   ///< an Internet address; the completion domain is added where there is none
  kLogin,     ///< one word
  kYesNo,
  kNumber,  ///< min to max, in `unit`
  kChoice,
  kDomain,         ///< kept in lower-case A-labels
  kAccess,         ///< an access restriction (lib/access.h)
  kLines,          ///< lines of free text, spaces and empty lines kept
  kRoute,          ///< an entry of the mail routing table (lib/directory/next_hop.h)
  kSenderOptions,  ///< "domain options", likewise
  kChannelAlias,   ///< "<incoming> <outgoing>" (lib/directory/resolution.h)
  kQueueStart,     ///< "domain access-restriction" (lib/directory/queue_start.h)
  kReadOnly,
};

/// kOwner includes the Postmaster.
enum class Who : std::uint8_t { kPostmaster, kOwner };

struct Choice {
  std::string_view value;              ///< as printed
  std::vector<std::string_view> also;  ///< read as the same
};

struct Field {
  std::string_view name;
  std::vector<std::string_view> also{};  ///< other names that are read
  Type type = Type::kText;
  bool multiple = false;  ///< a list; kLines always is
  bool required = false;  ///< may not be empty
  bool indent = false;    ///< printed a little to the right: belongs to the field above
  std::string_view hint{};
  std::string_view help{};
  std::uint64_t min = 0, max = 0;  ///< kNumber
  std::uint64_t scale = 1;         ///< kNumber: what the system counts, per unit of the form
  std::vector<Choice> choices{};   ///< kChoice; for kYesNo other words for "yes" and "no"
  std::string default_value{};     ///< what an empty bracket means; empty: nothing
  std::size_t max_octets = 255;    ///< of one value
  std::size_t max_values = 1;      ///< of a list
  Who read = Who::kPostmaster;
  Who change = Who::kPostmaster;

  [[nodiscard]] bool list() const { return multiple || type == Type::kLines; }
  /// Whether this is one of its names, letter case, spaces and punctuation aside.
  [[nodiscard]] bool is_named(std::string_view text) const;
};

struct Section {
  std::string_view rule;  ///< printed above it as it stands; empty for the first
  std::vector<Field> fields;
};

struct Form {
  std::string_view name;   ///< on the command line: "account-data"
  std::string_view title;  ///< "Account Data"
  std::vector<Section> sections;
  std::vector<std::string_view> also{};  ///< other names that are read

  /// By any of its names, letter case, spaces and punctuation aside: "users real name" finds
  /// User's-Real-Name.
  [[nodiscard]] const Field* find(std::string_view field_name) const;
  /// Whether this is one of the form's names, letter case, spaces and punctuation aside.
  [[nodiscard]] bool is_named(std::string_view text) const;
  /// A file of several forms begins each with this one.
  [[nodiscard]] const Field& first() const { return sections.front().fields.front(); }
};

/// Values by field name; a field that is not there was not given, one with an empty vector is empty.
using Values = std::map<std::string, std::vector<std::string>, std::less<>>;
/// An empty list if the field is not there.
[[nodiscard]] const std::vector<std::string>& values_of(const Values& values, std::string_view field);

/// Why a form is refused: one entry per wrong value.
struct Problem {
  int line = 0;       ///< of the text; 0: it was not text
  std::string field;  ///< empty: the line names none
  std::string value;  ///< as given; never a password
  std::string rule;   ///< what would be right
  /// "line 3: POP3-Delivery: [maybe]: give yes or no"
  [[nodiscard]] std::string text() const;
};

/// Lower-case letters and digits of a name: what names are compared by.
[[nodiscard]] std::string name_key(std::string_view name);
/// Whether both have the same name_key(), without making it: a file has many lines.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

}  // namespace form
