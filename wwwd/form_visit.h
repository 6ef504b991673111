// A form of the system on the web: shown, sent back, refused with what was typed, put together with what
// somebody else changed meanwhile, its history, and what was changed taken back. The same for every form; a
// page says which form, whose, and where it stands. Callers: own, account and settings pages.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/form/form.h"
#include "lib/web_messages.h"
#include "wwwd/page.h"
#include "wwwd/visit.h"

namespace wwwd {

/// A form and its place. Below `path` are "/history" and "/undo".
struct FormPlace {
  const form::Form* form = nullptr;
  std::uint64_t subject = 0;
  form::Who who = form::Who::kPostmaster;
  std::string path;
  std::string_view place;  ///< of the navigation
  std::string title;       ///< empty: the form's
  std::vector<Crumb> crumbs;
  std::string button = "Save changes";
  /// Links between the pages of what the form is of; `here`: "" or "/history". May be empty.
  std::function<void(Html&, std::string_view here)> tabs;
  /// What stands above and below the form, with its values; may be empty.
  std::function<void(Html&, const form::Values&)> above, below;
  /// The title, from the values; may be empty.
  std::function<std::string(const form::Values&)> title_from;
};

/// The title of its page.
[[nodiscard]] std::string form_title(const FormPlace& place, const form::Values& values);

/// Calls back with that form as it is now; answers the visit itself if there is none, or it cannot be had.
void with_form(const VisitPtr& visit, std::string_view form, std::uint64_t subject,
               std::function<void(po::messages::WebForm&)> then);

void show_form(const VisitPtr& visit, const FormPlace& place);
/// A POST of it; `after` says where to go when it was done (from the answer), else back to `path`.
void submit_form(const VisitPtr& visit, const FormPlace& place,
                 const std::function<std::string(const po::messages::WebDone&)>& after = {});
void show_history(const VisitPtr& visit, const FormPlace& place);
void undo_change(const VisitPtr& visit, const FormPlace& place);

/// "Changed: ..." with a button that takes it back, if `?changed=` names a change of this form that can be.
/// Calls back with or without it.
void with_change_notice(const VisitPtr& visit, const FormPlace& place,
                        std::function<void(std::vector<Notice>)> then);

/// What a change did, field by field.
void write_changes(Html& h, const std::vector<po::messages::WebRevision::Line>& lines);
/// "2026-11-26 14:05 UTC", as a time element.
void write_time(Html& h, std::int64_t at);

}  // namespace wwwd
