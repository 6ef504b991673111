// Answers wwwd: logs in and out, and does what the logged-in may have done. wwwd may be taken over: whatever
// it sends is looked at as if the browser itself had sent it. Each question is answered for the session of
// its token and for nobody else; what that account may do is looked up at each question, and once more in the
// thread that changes, just before the change; and what changes something needs the session's seal. A frame
// that is none of wwwd's drops that wwwd. Frames: lib/web_messages.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accounts/administration.h"
#include "accounts/authenticate.h"
#include "accounts/command_output.h"
#include "accounts/form_service.h"
#include "accounts/threads.h"
#include "accounts/web_rights.h"
#include "accounts/web_sessions.h"
#include "lib/channel.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/messages.h"
#include "lib/web_messages.h"

namespace accounts {

class WebServer {
 public:
  /// All must outlive it.
  struct Parts {
    const po::Loop& loop;
    po::Log& log;
    Administration& administration;
    Authenticator& authenticator;
    Threads& writer;  ///< the thread that changes the databases
    /// To the dispatcher; the serial comes back with on_administered().
    std::function<std::uint32_t(po::messages::Verb)> administer;
    std::function<void()> changed;  ///< after each change of the directory
    po::messages::Key order_key{};
  };
  explicit WebServer(Parts parts);
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;
  ~WebServer();

  /// A wwwd's pipe.
  void take(const po::messages::Peer& peer, po::Fd socket);
  void on_administered(std::uint32_t serial, const po::messages::AdministerAnswer& answer);
  /// At the start and after each change of the directory: so that no page of the list of accounts has to wait
  /// until its index is made, and no change either.
  void keep_list_ready();
  [[nodiscard]] std::size_t pipes() const { return pipes_.size(); }
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }

  static constexpr std::size_t kMostJobs = 64;         ///< of one pipe, that wait for a thread
  static constexpr std::size_t kMostCommands = 64;     ///< of one pipe, that come or go in pieces
  static constexpr std::chrono::seconds kStalled{60};  ///< a command's input that does not go on
  /// A command's output that nobody asks for: longer than wwwd takes to get rid of a piece with a browser
  /// that is just fast enough for it.
  static constexpr std::chrono::minutes kUnwanted{15};

 private:
  using PipeId = std::uint64_t;
  /// Who waits for an answer.
  struct Asker {
    PipeId pipe = 0;
    std::uint32_t serial = 0;
    auto operator<=>(const Asker&) const = default;
  };
  /// The caller of a question.
  struct Looked {
    po::messages::WebStanding standing = po::messages::WebStanding::kNobody;
    WebSession session;
    po::messages::NetAddress client;
    directory::Account account;
    bool postmaster = false;
    [[nodiscard]] bool good() const { return standing == po::messages::WebStanding::kGood; }
  };
  enum class Needs { kNothing, kSeal };
  enum class For { kAnybody, kPostmaster };
  struct Pipe {
    std::unique_ptr<po::Channel> channel;
    std::size_t jobs = 0;
  };
  /// A command whose input comes, that runs, or whose output goes.
  struct RunningCommand {
    Looked who;
    std::vector<std::string> words;
    std::string input;
    CommandOutput output;
    bool answered = false;    ///< or in the writer's thread: what still comes of its input is thrown away
    bool wanted = true;       ///< the next piece of its output: the first need not be asked for
    bool input_over = false;  ///< the frame came behind which there is no more
    po::Event stalled, again;
    void forget_input();
    ~RunningCommand() { forget_input(); }
  };
  using Change = std::function<po::messages::WebDone(const Caller&)>;

  template <class M>
  bool handle(Asker asker, po::Frame& frame, void (WebServer::*act)(Asker, M));
  bool on_frame(PipeId id, po::Frame& frame);
  /// The pipe may have died while the answer was made.
  template <class M>
  void send(Asker asker, const M& answer) {
    auto pipe = pipes_.find(asker.pipe);
    if (pipe != pipes_.end()) pipe->second.channel->send(asker.serial, answer);
  }
  template <class M>
  void refuse(Asker asker, po::messages::WebStanding standing) {
    M answer;
    answer.standing = standing;
    send(asker, answer);
  }

  /// What a change is, for the log.
  struct About {
    std::string event;  ///< "form-changed"; empty: nothing to log
    std::string form;
    std::uint64_t subject = 0;
  };

  Looked look(const po::messages::WebCaller& caller, Needs needs = Needs::kNothing, For whom = For::kAnybody);
  /// The same for one form: everything is a Postmaster's, that of his own account is anybody's.
  Looked look_at(const po::messages::WebCaller& caller, const Subject& subject,
                 Needs needs = Needs::kNothing);
  /// And for what else belongs to one account: its owner, or a Postmaster.
  Looked look_at_account(const po::messages::WebCaller& caller, std::uint64_t account,
                         Needs needs = Needs::kNothing);
  /// Of a caller who is good so far.
  void check_seal(Looked& who, const po::messages::WebCaller& caller);
  [[nodiscard]] static Caller caller_of(const Looked& who);
  bool take_job(Asker asker);
  void end_job(Asker asker);
  /// Runs `work` in the writer's thread if the caller may still do it, and answers with what it says.
  void change(Asker asker, Looked who, About about, Change work);
  void log_change(const Looked& who, const About& about, const po::messages::WebDone& done);
  void ended(const WebSession& session, std::string_view why);
  [[nodiscard]] std::chrono::seconds idle_limit() const;

  void on_log_in(Asker asker, po::messages::WebLogIn ask);
  void finish_log_in(Asker asker, const po::messages::WebLogIn& ask, const Authenticator::Verdict& verdict);
  void on_look(Asker asker, po::messages::WebLook ask);
  void on_log_out(Asker asker, po::messages::WebLogOut ask);
  void on_show_form(Asker asker, po::messages::WebShowForm ask);
  void on_submit_form(Asker asker, po::messages::WebSubmitForm ask);
  void on_history(Asker asker, po::messages::WebAskHistory ask);
  void on_undo(Asker asker, po::messages::WebUndo ask);
  void on_accounts(Asker asker, po::messages::WebAskAccounts ask);
  void on_remove(Asker asker, po::messages::WebRemove ask);
  void on_ask_access(Asker asker, po::messages::WebAskAccess ask);
  void on_make_password(Asker asker, po::messages::WebMakePassword ask);
  void on_revoke_password(Asker asker, po::messages::WebRevokePassword ask);
  bool on_command(Asker asker, po::Frame& frame);
  bool on_more_output(Asker asker, po::Frame& frame);
  bool on_abandon(Asker asker, po::Frame& frame);
  bool begin_command(Asker asker, po::messages::WebCommand ask);
  [[nodiscard]] std::size_t commands_of(PipeId pipe) const;
  void feed_command(Asker asker, RunningCommand& command, po::messages::WebCommand ask);
  void run_command_of(Asker asker, RunningCommand& command);
  void answer_command(Asker asker, CommandResult result);
  void pump(Asker asker);
  void drop_commands(PipeId pipe);
  void on_status(Asker asker, po::messages::WebAskStatus ask);
  void on_order(Asker asker, po::messages::WebAskOrder ask);

  Parts parts_;
  WebSessions sessions_;
  std::map<PipeId, Pipe> pipes_;
  std::map<Asker, std::unique_ptr<RunningCommand>> commands_;
  std::map<std::uint32_t, Asker> asked_status_;
  PipeId next_ = 1;
  po::Event expire_;
  Threads readers_;  ///< last: joined before the rest goes
};

}  // namespace accounts
