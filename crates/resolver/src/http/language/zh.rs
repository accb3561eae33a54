//! Chinese, in simplified characters.

use super::{Texts, Words};

pub(super) const TEXTS: Texts = Texts {
    genuine: Words {
        headline: "正品",
        lead: "此防伪码由 {brand} 为本产品签发。",
        advice: "防伪码有可能被复制，请同时查看产品及其包装。",
    },
    first: Words {
        headline: "正品，首次扫码",
        lead: "此防伪码是第一次被扫描，现已激活。",
        advice: "今后再扫此码的人会看到激活时间。",
    },
    before: Words {
        headline: "正品，此前已激活",
        lead: "此防伪码已于{when}激活。",
        advice: "如果是您本人激活的，则一切正常。如果产品是您新购买的且封签完好，则此码可能已被他人复制，请向 {brand} 咨询。",
    },
    just: Words {
        headline: "正品，刚刚激活",
        lead: "此防伪码在最近两分钟内激活。",
        advice: "如果不是您本人按下的按钮，则是他人所为，请向 {brand} 咨询。",
    },
    awaiting: Words {
        headline: "正品，尚未激活",
        lead: "此防伪码由 {brand} 为本产品签发，目前尚无人激活。",
        advice: "请在产品归您所有之后再激活。激活只能进行一次，今后再扫此码的人会看到激活时间。",
    },
    confirm: "立即激活",
    recalled: Words {
        headline: "已召回",
        lead: "{brand} 已于{when}召回本产品。",
        advice: "请勿使用。请向品牌方或购买的商店咨询如何处理。",
    },
    recalled_at_some_time: "{brand} 已召回本产品。",
    unknown: Words {
        headline: "无法识别",
        lead: "我们没有此防伪码的记录。",
        advice: "如果是手动输入的，请与印刷的防伪码核对后重试。如果是从产品上扫描的，该产品可能是假冒品，使用前请先向品牌方咨询。",
    },
    unconfirmed: Words {
        headline: "暂时无法确认",
        lead: "我们目前无法核验此防伪码。这并不说明产品有任何问题。",
        advice: "请稍等一分钟后再试。",
    },
    malformed: Words {
        headline: "这不是防伪码",
        lead: "扫描或输入的内容不是完整的防伪码。",
        advice: "请重新扫描图案，或按印刷的样子输入防伪码：共二十个字符，每四个一组。",
    },
    malformed_gtin: "此网址中的商品编号（GTIN）无效。",
    welcome: Words {
        headline: "是正品吗？",
        lead: "扫描产品上的防伪码，即可在此得知。",
        advice: "如需手动查询，请在本网址的斜杠后输入防伪码：共二十个字符，每四个一组。",
    },
    activated: "首次激活",
    place: "首次激活的国家或地区",
    code: "防伪码",
    gtin: "商品编号（GTIN）",
    picture: "产品图片：{product}",
    footer: "由 Mintmark 核验。我们不保存您的 IP 地址。",
    months: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"],
};
