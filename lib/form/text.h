// Forms as text, the way the Guide prints them: `Field-Name:   [value]`, further values as further brackets
// below,
// `[]` for nothing, hints in parentheses, ruled sections. The text that comes back is foreign: it is read in
// one pass, tolerant of spacing, names in any letter case, hints and rules, and everything wrong is reported
// with its line. man/forms.5 is the grammar. Callers: accounts (command line), later the e-mail managers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/form/form.h"

namespace form {

/// A value as it stands between brackets: `]` is doubled, control characters (tabs aside) are \xNN, and so is
/// a backslash that would read as such.
[[nodiscard]] std::string escape_value(std::string_view value);

/// The line that says which revision of the form was seen.
inline constexpr std::string_view kRevisionField = "Form-Revision";

struct RenderOptions {
  Who reader = Who::kPostmaster;            ///< fields that he may not read are left out
  std::optional<std::uint64_t> revision{};  ///< printed at the end, to come back with the form
  bool shown_only = true;                   ///< also fields that nobody can change (Account-Number always is)
  bool passwords = false;                   ///< as `values` has them; else they are `[]`
  bool hints = true;
};
/// The whole form with these values.
[[nodiscard]] std::string render(const Form& form, const Values& values, const RenderOptions& options = {});

/// One field as it was written, unchecked.
struct Given {
  const Field* field = nullptr;
  int line = 0;
  std::vector<std::string> values;
};

struct Parsed {
  int line = 0;  ///< where it begins
  const Form* form = nullptr;
  std::optional<std::uint64_t> revision;  ///< Form-Revision, if it says one
  std::vector<Given> fields;
  std::vector<Problem> problems;
};

/// Reads form after form: the next one begins at a heading (`===== Account Data =====`) or at the form's
/// first field.
class Parser {
 public:
  /// `text` must outlive the parser.
  Parser(const Form& form, std::string_view text) : form_(&form), text_(text) {}
  /// Of any forms: each heading says of which the next one is. What stands before the first heading, and
  /// below one that names no form, is a problem.
  explicit Parser(std::string_view text) : text_(text), any_(true) {}
  /// Nothing at the end of the text.
  [[nodiscard]] std::optional<Parsed> next();

 private:
  bool peek_line(std::string_view& line);
  void take_line();
  [[nodiscard]] bool begins_form(std::string_view line) const;
  void read_line(std::string_view line, Parsed& into);
  void read_rule(std::string_view line, Parsed& into);
  void read_heading(const Form* named, std::string_view title, Parsed& into);
  void read_field(std::string_view line, Parsed& into);
  bool read_revision(std::string_view name, std::string_view rest, Parsed& into);
  void read_values(std::string_view rest, Parsed& into);
  void problem(Parsed& into, std::string rule, std::string value = {});

  const Form* form_ = nullptr;
  std::string_view text_;
  bool any_ = false;
  std::size_t at_ = 0;
  std::size_t line_end_ = 0;
  int line_ = 1;
  enum class In { kNothing, kField, kUnknownField, kUnknownForm } in_ = In::kNothing;
  std::string field_name_;
};

}  // namespace form
