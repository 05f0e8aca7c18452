"""A wish to be left alone, said in a mail: the whole of what they wrote, in the languages people write in."""

from __future__ import annotations

import re

_WORDS = frozenset({
    # English
    "unsubscribe", "unsubscribe me", "unsubscribe please", "please unsubscribe", "please unsubscribe me", "stop", "stop it",
    "please stop", "stop please", "stop all", "stop emailing me", "stop writing to me", "stop mailing me", "please stop emailing me",
    "stop sending me emails", "please stop sending me emails", "remove", "remove me", "please remove me",
    "remove me from your list", "please remove me from your list", "remove me from this list", "take me off your list",
    "take me off this list", "opt out", "optout", "opt me out", "do not email me", "do not contact me", "don't email me",
    "don't contact me", "do not contact me again", "leave me alone", "no more emails", "no more emails please", "end", "cancel subscription",
    # German
    "abmelden", "bitte abmelden", "abmeldung", "abbestellen", "bitte abbestellen", "austragen", "bitte austragen",
    "newsletter abbestellen", "stopp", "keine weiteren mails", "keine weiteren e mails", "bitte keine weiteren mails",
    "bitte keine weiteren e mails", "bitte keine e mails mehr", "keine e mails mehr", "keine mails mehr",
    "bitte aus dem verteiler nehmen", "bitte aus dem verteiler streichen", "bitte schreiben sie mir nicht mehr", "melden sie mich ab",
    # French
    "désinscription", "désabonnement", "me désinscrire", "désinscrivez moi", "désinscrire", "désabonner", "me désabonner",
    "désabonnez moi", "arrêtez", "arrêt", "stop svp", "ne m'écrivez plus", "merci de me désinscrire", "veuillez me désinscrire",
    "retirez moi de votre liste", "plus de mails",
    # Spanish, Portuguese, Catalan
    "baja", "darse de baja", "darme de baja", "dar de baja", "dame de baja", "deme de baja", "quiero darme de baja", "por favor deme de baja",
    "cancelar suscripción", "no más correos", "no me escriban más", "basta", "parar", "pare", "cancelar inscrição", "descadastrar",
    "cancelar assinatura", "remover", "remova me", "me remova", "não quero mais receber", "sair da lista", "donar se de baixa",
    # Italian, Romanian
    "cancellami", "cancellatemi", "disiscrivimi", "disiscrizione", "cancellazione", "disiscrivetemi", "annulla iscrizione", "non scrivetemi più",
    "dezabonare", "dezabonați mă", "dezabonează mă",
    # Dutch, Scandinavian, Finnish
    "uitschrijven", "afmelden", "schrijf mij uit", "stop met mailen", "geen mail meer", "graag uitschrijven", "avregistrera", "avregistrera mig",
    "avsluta prenumeration", "sluta", "avprenumerera", "afmeld", "afmeld mig", "frameld", "meld meg av", "avmeld", "avmelding", "slutt",
    "peruuta tilaus", "poista minut listalta", "lopeta", "peru tilaus",
    # Slavic, Baltic, Hungarian, Greek
    "wypisz", "wypisz mnie", "wypisz się", "rezygnuję", "proszę o wypisanie", "odhlásit", "odhlaste mě", "odhlásiť", "odjavi me", "odjava", "odjavite me",
    "отписаться", "отпишите меня", "отписка", "стоп", "не пишите мне", "не пишите мне больше", "удалите меня", "відписатися", "відпишіть мене", "отпиши ме",
    "leiratkozás", "leiratkozom", "iratkozzak le", "διαγραφή", "διακοπή", "atsisakau", "atrakstīties", "loobun",
    # Turkish, Semitic, Persian
    "abonelikten çık", "listeden çıkar", "beni listeden çıkarın", "aboneliği iptal et", "הסר", "הסירו אותי", "להסרה", "הסר אותי", "إلغاء الاشتراك", "توقف", "الغاء الاشتراك", "لغو اشتراک",
    # Asian
    "退订", "取消订阅", "退訂", "取消訂閱", "停止", "不要再发邮件", "配信停止", "購読解除", "解除", "配信停止希望", "수신거부", "구독 취소", "구독취소", "그만", "hủy đăng ký", "berhenti berlangganan", "berhenti", "ยกเลิก", "ยกเลิกการสมัคร", "सदस्यता समाप्त करें",
})  # fmt: skip
_POLITE = re.compile(r"^(hi|hello|hallo|bonjour|hola|ciao|dear \w+|hi \w+)\s+|\s+(thanks|thank you|danke|merci|gracias|grazie|obrigad[oa]|bedankt|tack|regards)$")  # fmt: skip
LONGEST = 120


def is_wish(text: str) -> bool:
    """Do these words, and nothing else, ask to be left alone?"""
    if len(text) > LONGEST * 3:
        return False
    said = re.sub(r"[\s.!?,;:*_\"“”„»«()…。！、\-–—]+", " ", text.lower().replace("’", "'")).strip()
    if len(said) > LONGEST:
        return False
    for _ in range(3):
        if said in _WORDS:
            return True
        said = _POLITE.sub("", said).strip()
    return said in _WORDS
