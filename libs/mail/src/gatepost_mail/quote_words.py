"""The words by which mail programs set a reply apart from what it answers, by language."""

from __future__ import annotations

WROTE = (
    "wrote", "schrieb", "schrieben", "geschrieben", "a écrit", "a ecrit", "escribió", "escribio", "ha escrit",
    "schreef", "heeft geschreven", "ha scritto", "escreveu", "skrev", "skreiv", "skrifaði", "kirjoitti", "napisał",
    "napisała", "napisał(a)", "pisze", "napsal", "napsala", "napsal(a)", "napísal", "napísala", "написал", "написала",
    "написал(а)", "пишет", "пише", "написав", "написа", "напиша", "írta", "yazdı", "şunu yazdı", "a scris", "έγραψε", "כתב",
    "כתבה", "كتب", "كتبت", "نوشت", "写道", "寫道", "写到", "さんは書きました", "のメッセージ", "書いた", "님이 작성",
    "작성", "je napisao", "napisao je", "napisala je", "je napisala", "je napisal", "rašė", "parašė", "rakstīja", "kirjutas", "đã viết", "menulis",
    "เขียนว่า", "sendte", "va escriure", "skribis", "a rédigé",
)  # fmt: skip
"""What stands in the line above a quote, in any of these languages."""

ORIGINAL = (
    "original message", "original appointment", "forwarded message", "ursprüngliche nachricht", "originalnachricht",
    "weitergeleitete nachricht", "ursprüngliche message", "message d'origine", "message original", "message transféré",
    "message initial", "mensaje original", "mensaje reenviado", "oorspronkelijk bericht", "doorgestuurd bericht",
    "messaggio originale", "messaggio inoltrato", "mensagem original", "mensagem encaminhada", "originalmeddelande",
    "ursprungligt meddelande", "original meddelelse", "opprinnelig melding", "videresendt melding",
    "alkuperäinen viesti", "oryginalna wiadomość", "wiadomość oryginalna", "wiadomość przekazana", "původní zpráva",
    "pôvodná správa", "исходное сообщение", "пересылаемое сообщение", "оригинальное сообщение", "eredeti üzenet",
    "özgün ileti", "orijinal ileti", "mesaj original", "mesajul original", "αρχικό μήνυμα", "הודעה מקורית",
    "الرسالة الأصلية", "原始邮件", "原始郵件", "转发邮件", "元のメッセージ", "転送メッセージ", "원본 메시지",
    "izvorna poruka", "originalna poruka", "originali žinutė", "tin nhắn gốc", "pesan asli", "begin forwarded message",
    "anfang der weitergeleiteten nachricht", "début du message transféré", "inicio del mensaje reenviado",
)  # fmt: skip
"""What stands between dashes above an unquoted history."""

FROM = (
    "from", "von", "de", "van", "da", "från", "fra", "lähettäjä", "od", "от", "від", "feladó", "kimden", "gönderen",
    "de la", "από", "מאת", "من", "发件人", "寄件者", "差出人", "보낸 사람", "보낸사람", "šalje", "nuo", "no", "từ", "dari", "expéditeur",
)  # fmt: skip
SENT = (
    "sent", "date", "to", "subject", "cc", "gesendet", "datum", "an", "betreff", "envoyé", "à", "objet", "enviado",
    "enviada", "enviada em", "fecha", "para", "asunto", "assunto", "verzonden", "aan", "onderwerp", "inviato", "a",
    "oggetto", "data", "skickat", "till", "ämne", "sendt", "til", "emne", "dato", "lähetetty", "vastaanottaja", "aihe",
    "wysłano", "wysłane", "do", "temat", "odesláno", "komu", "předmět", "odoslané", "predmet", "отправлено", "дата",
    "кому", "тема", "надіслано", "elküldve", "címzett", "tárgy", "tarih", "kime", "konu", "trimis", "către", "subiect",
    "στάλθηκε", "προς", "θέμα", "ημερομηνία", "נשלח", "אל", "נושא", "تاريخ", "إلى", "الموضوع", "发送时间", "日期",
    "收件人", "主题", "寄件日期", "收件者", "主旨", "送信日時", "日付", "宛先", "件名", "보낸 날짜", "받는 사람", "제목",
    "date et heure", "poslano", "prima", "naslov",
)  # fmt: skip
"""Labels of the header block that Outlook and others paste above an unquoted history."""

PHONE = (
    r"sent (from|with|via|using) (my )?[\w .+-]{2,40}", r"get outlook for \w+", r"get \w+ for (ios|android)",
    r"(von|mit) (meinem|meiner) [\w .-]{2,30} gesendet", r"gesendet (mit|von|über) [\w .-]{2,40}",
    r"diese nachricht wurde von meinem [\w .-]{2,60}", r"envoyé (de|depuis|à partir de|avec) [\w .'-]{2,40}",
    r"enviado (desde|do|a partir do|de) (mi |meu )?[\w .-]{2,40}", r"inviato (da|dal) [\w .-]{2,40}",
    r"(verzonden|verstuurd) (vanaf|met|via) (mijn )?[\w .-]{2,40}", r"skickat från (min )?[\w .-]{2,40}", r"sendt fra (min )?[\w .-]{2,40}",
    r"lähetetty [\w .-]{2,40}", r"wysłan[eo] z [\w .-]{2,40}", r"odesláno z [\w .-]{2,40}", r"отправлено (с|из) [\w .-]{2,40}",
    r"надіслано з [\w .-]{2,40}", r"[\w .-]{2,30}'?(dan|den|ımdan|imden) gönderildi", r"trimis de pe [\w .-]{2,40}",
    r"从我的 ?\w+ ?发送", r"发自我的 ?\w+", r"自我的 ?\w+ ?傳送", r"\w+ ?から送信", r"나의 \w+에서 보냄", r"στάλθηκε από [\w .-]{2,40}",
    r"נשלח מה[\w -]{2,30}", r"أرسل(ت)? من [\w .-]{2,40}", r"gửi từ [\w .-]{2,40}", r"dikirim dari [\w .-]{2,40}",
)  # fmt: skip
"""Signatures that phones and programs put below, in which nobody said anything."""

PHONE_STARTS = frozenset(
    {
        "sent",
        "get",
        "von",
        "mit",
        "gesendet",
        "diese",
        "enviado",
        "inviato",
        "verzonden",
        "verstuurd",
        "sendt",
        "dikirim",
        "trimis",
    }
)
"""Their first words, where these are written in ASCII."""

ABOVE_THIS = (
    "reply above this line", "reply above this", "please type your reply above", "do not write below this line",
    "bitte antworten sie oberhalb dieser zeile", "répondez au-dessus de cette ligne",
    "responda por encima de esta línea", "scrivi la tua risposta sopra questa riga",
)  # fmt: skip
"""Marks of help desks: all below is theirs."""
