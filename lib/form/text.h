// Forms as text, the way the Guide prints them: `Field-Name:   [value]`, further values as further brackets
// below,
// `[]` for nothing, hints in parentheses, ruled sections. The text that comes back is foreign: it is read in
// one pass, tolerant of spacing, names in any letter case, hints and rules, and everything wrong is reported
// with its line. man/forms.5 is the grammar. Callers: accounts (command line), later the e-mail managers.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/form/form.h"

namespace form {

/// A value as it stands between brackets: `]` is doubled, control characters (tabs aside) are \xNN, and so is
/// a backslash that would read as such.
[[nodiscard]] std::string escape_value(std::string_view value);

/// The whole form with these values. Fields that `reader` may not read are left out; passwords are always
/// `[]`.
[[nodiscard]] std::string render(const Form& form, const Values& values, Who reader = Who::kPostmaster);

/// One field as it was written, unchecked.
struct Given {
  const Field* field = nullptr;
  int line = 0;
  std::vector<std::string> values;
};

struct Parsed {
  int line = 0;  ///< where it begins
  std::vector<Given> fields;
  std::vector<Problem> problems;
};

/// Reads form after form: the next one begins at a heading (`===== Account Data =====`) or at the form's
/// first field.
class Parser {
 public:
  /// `text` must outlive the parser.
  Parser(const Form& form, std::string_view text) : form_(form), text_(text) {}
  /// Nothing at the end of the text.
  [[nodiscard]] std::optional<Parsed> next();

 private:
  bool peek_line(std::string_view& line);
  void take_line();
  [[nodiscard]] bool begins_form(std::string_view line) const;
  void read_line(std::string_view line, Parsed& into);
  void read_rule(std::string_view line, Parsed& into);
  void read_field(std::string_view line, Parsed& into);
  void read_values(std::string_view rest, Parsed& into);
  void problem(Parsed& into, std::string rule, std::string value = {});

  const Form& form_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_end_ = 0;
  int line_ = 1;
  enum class In { kNothing, kField, kUnknownField } in_ = In::kNothing;
  std::string field_name_;
};

}  // namespace form
