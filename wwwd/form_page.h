// A form's declaration with values and problems as HTML, and the fields that come back. What is shown to
// whom, and what has an input, stands in the declaration; a form that was refused shows what was typed and
// says beside each field what would be right. Pure. Callers: form_visit, the account pages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/form/form.h"
#include "lib/web_messages.h"
#include "wwwd/html.h"
#include "wwwd/page.h"
#include "wwwd/query.h"

namespace wwwd {

struct FormView {
  const form::Form* form = nullptr;
  form::Who who = form::Who::kPostmaster;
  form::Values values;      ///< as the form is
  form::Values typed = {};  ///< stands in the inputs instead
  std::vector<po::messages::WebProblem> problems = {};
  /// After a conflict: what somebody else made of fields that were typed otherwise.
  form::Values others = {};
  /// Where lists that are too long for an input are worked on: this, "/list/" and the field's name.
  std::string path;
};

/// All sections with their fields; what stands around the form element is the caller's.
void write_fields(Html& h, const FormView& view);
/// Says that nothing was done, with a link to each field that is wrong.
[[nodiscard]] Notice problem_notice(const FormView& view);

/// Whether a list has too many octets for an input: a hundred thousand aliases would make a page that no
/// browser likes, and one changed line would send them all back.
[[nodiscard]] bool too_long_for_input(const form::Field& field, const std::vector<std::string>& values);
inline constexpr std::size_t kMostListed = 8 * 1024;
inline constexpr std::size_t kMostLines = 32 * 1024;  ///< of free text, that cannot be worked on in parts
inline constexpr std::size_t kMostProblems = 50;      ///< that are told at once

/// What was sent of this form: fields that `who` may change, each with the values that its input holds.
/// Fields that were not sent are not there. An empty password was not sent.
[[nodiscard]] form::Values posted_values(const form::Form& form, form::Who who, const Parameters& posted);
[[nodiscard]] std::vector<po::messages::WebField> to_fields(const form::Values& values);
[[nodiscard]] form::Values to_values(const std::vector<po::messages::WebField>& fields);

/// What is typed and what somebody else changed meanwhile, put together: fields that were left as they were
/// shown take the new value; those that both changed keep what was typed, and `others` says what it is now.
struct Merged {
  form::Values typed, others;
};
[[nodiscard]] Merged merge_typed(const form::Form& form, const form::Values& typed, const form::Values& now,
                                 const std::vector<po::messages::WebRevision>& since);

/// "User's-Real-Name" as people read it.
[[nodiscard]] std::string field_label(std::string_view name);
/// "----- LOCAL DELIVERY INFORMATION -----" likewise: "Local delivery information".
[[nodiscard]] std::string section_title(std::string_view rule);
/// What the inputs of a field are called in the page, and what a link to it ends in.
[[nodiscard]] std::string field_id(std::string_view name);

}  // namespace wwwd
